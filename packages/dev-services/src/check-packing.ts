import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './repository.ts'
import { runTool, type ToolResult } from './run-tool.ts'

export interface PackingResult {
  ok: number
  failed: number
  /** Public packages without a source yet. */
  empty: number
}

interface Manifest {
  name: string
  private?: boolean
  packageManager?: string
}

const manifestOf = (dir: string) => JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as Manifest

function publicPackages(): { name: string; dir: string; empty: boolean }[] {
  const packages = join(root, 'packages')
  return readdirSync(packages)
    .map(folder => join(packages, folder))
    .filter(dir => existsSync(join(dir, 'package.json')))
    .map(dir => ({ dir, manifest: manifestOf(dir) }))
    .filter(({ manifest }) => manifest.private !== true)
    .map(({ dir, manifest }) => ({ name: manifest.name, dir, empty: !existsSync(join(dir, 'src', 'index.ts')) }))
}

async function packOne(dir: string, destination: string): Promise<string | ToolResult> {
  mkdirSync(destination)
  const pnpm = manifestOf(root).packageManager ?? 'pnpm'
  const packed = await runTool(['npx', '--yes', pnpm, 'pack', '--pack-destination', destination], { cwd: dir })
  const tarball = readdirSync(destination)[0]
  return packed.exitCode !== 0 || tarball === undefined ? { ...packed, exitCode: 1 } : join(destination, tarball)
}

/** What is wrong with the package as it would be published; empty when nothing is. */
async function findProblems(dir: string, destination: string): Promise<string> {
  const built = await runTool(['tsc', '-b', dir])
  if (built.exitCode !== 0) return built.output
  const tarball = await packOne(dir, destination)
  if (typeof tarball !== 'string') return tarball.output
  const checks = await Promise.all([
    runTool(['publint', 'run', tarball, '--strict']),
    runTool(['attw', tarball, '--profile', 'esm-only', '--no-color', '--no-emoji'])
  ])
  return checks
    .filter(check => check.exitCode !== 0)
    .map(check => check.output)
    .join('\n')
}

/** Builds and packs every public package, and looks at each tarball with publint and attw. Prints a line for each. */
export async function checkPacking(): Promise<PackingResult> {
  const result = { ok: 0, failed: 0, empty: 0 }
  const temporary = mkdtempSync(join(tmpdir(), 'steadfast-pack-'))
  try {
    for (const [index, { name, dir, empty }] of publicPackages().entries()) {
      const problems = empty ? '' : await findProblems(dir, join(temporary, String(index)))
      const verdict = empty ? 'empty' : problems === '' ? 'ok' : 'failed'
      result[verdict] += 1
      console.log(`# pack ${name}: ${empty ? 'skipped, src/index.ts does not exist' : verdict}`)
      if (problems !== '') console.log(problems)
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
  console.log(`# ${result.ok} packages pack cleanly, ${result.failed} do not, ${result.empty} are empty`)
  return result
}
