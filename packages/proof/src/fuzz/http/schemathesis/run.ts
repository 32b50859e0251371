import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ServiceName } from '../../../check/look-up.ts'
import { configurationOf, type Vocabulary } from './configuration.ts'
import { type Report, readReport } from './read-report.ts'

export interface SchemathesisOptions {
  command: string
  service: ServiceName
  url: string
  /** The OpenAPI document. */
  document: object
  /** Who asks; nobody by default. */
  authorization?: string
  /** A regular expression: only operations whose path it matches. */
  paths?: string
  vocabulary: Vocabulary
  /** Random cases per operation, after those that follow from the document. */
  examples: number
  seed: number
  /** Where its files go. */
  dir: string
  name: string
}

/**
 * Lets schemathesis ask every operation of an OpenAPI document: what the document allows, what it does not, and other
 * methods. Resolves with every exchange, and with the checks that failed and mean something here.
 *
 * @throws Error when schemathesis itself fails
 */
export async function runSchemathesis(options: SchemathesisOptions): Promise<Report> {
  const { command, url, document, authorization, paths, vocabulary, examples, seed, service, dir, name } = options
  const file = (suffix: string) => join(dir, `${name}${suffix}`)
  const report = file('.ndjson')
  await writeFile(file('.openapi.json'), JSON.stringify(document))
  await writeFile(file('.toml'), configurationOf(vocabulary))
  const args = ['--config-file', file('.toml'), '--no-color', 'run', file('.openapi.json'), '--url', url]
  args.push('--seed', String(seed), '--max-examples', String(examples), '--phases', 'coverage,fuzzing')
  args.push('--continue-on-failure', '--request-timeout', '20', '--report', 'ndjson', '--report-ndjson-path', report)
  if (authorization !== undefined) args.push('--header', `Authorization: ${authorization}`)
  if (paths !== undefined) args.push('--include-path-regex', paths)
  const child = spawn(command, args, { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] })
  const output: Buffer[] = []
  child.stdout.on('data', chunk => output.push(chunk))
  child.stderr.on('data', chunk => output.push(chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  const text = Buffer.concat(output).toString()
  await writeFile(file('.txt'), text)
  // 1: checks failed, which the report tells
  if (code !== 0 && code !== 1) throw new Error(`schemathesis ended with ${code}:\n${text.slice(-4000)}`)
  return readReport(await readFile(report, 'utf8'), service)
}
