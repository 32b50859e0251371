import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import { compiledPath, node, root, toolPath } from './repository.ts'

export interface TapResult {
  exitCode: number
  passed: number
  failed: number
  skipped: number
  /** What tap reports of the tests that failed. */
  failures?: string[]
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/**
 * A working directory of its own for one run. tap empties `.tap/processinfo` where it starts while tests of another
 * run may be writing there, so each run gets a directory of links to everything in the repository's root.
 */
function runDirectory(): string {
  const parent = join(root, '.tap')
  mkdirSync(parent, { recursive: true })
  for (const name of readdirSync(parent)) {
    const pid = /^run-(\d+)-/.exec(name)?.[1]
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(parent, name), { recursive: true, force: true })
  }
  const dir = mkdtempSync(join(parent, `run-${process.pid}-`))
  for (const name of readdirSync(root)) {
    if (name !== '.tap' && name !== '.git') symlinkSync(join(root, name), join(dir, name))
  }
  return dir
}

function tapProgram(): string {
  const manifest = createRequire(import.meta.url).resolve('tap/package.json')
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as { bin: { tap: string } }
  return join(dirname(manifest), bin.tap)
}

/** The counts of tap's closing line `# { total: 5, pass: 4, skip: 1 }`; undefined when it is missing. */
export function tapCounts(output: string): Pick<TapResult, 'passed' | 'failed' | 'skipped'> | undefined {
  const summary = [...output.matchAll(/# \{ total: \d+[^}]*\}/g)].at(-1)?.[0]
  if (summary === undefined) return undefined
  const count = (key: string) => Number(new RegExp(`\\b${key}: (\\d+)`).exec(summary)?.[1] ?? 0)
  return { passed: count('pass'), failed: count('fail'), skipped: count('skip') + count('todo') }
}

const FAILURES_MAX = 20
const FAILURE_LINES_MAX = 60

/** What tap reports of the tests that failed, each with the file and the tests around it; at most 20. */
export function failuresIn(output: string): string[] {
  const lines = output.split('\n')
  const found: string[] = []
  // The subtests around a line: each with its name, and how many failures there were before it.
  const around: { name: string; before: number }[] = []
  for (const [at, line] of lines.entries()) {
    const indent = /^ */.exec(line)?.[0] ?? ''
    const depth = indent.length / 4
    const name = /^ *# Subtest: (.*)/.exec(line)?.[1]
    if (name !== undefined) around.splice(depth, Number.POSITIVE_INFINITY, { name, before: found.length })
    if (!/^ *not ok /.test(line) || / # (TODO|SKIP)/i.test(line)) continue
    // Of a subtest in which something failed, that is told.
    const ended = line.includes(' # time=') ? around[depth] : undefined
    if (ended !== undefined && found.length > ended.before) continue
    const last = lines.findIndex((text, n) => n > at && text === `${indent}  ...`)
    const block = lines.slice(at, last === -1 ? at + 1 : Math.min(last + 1, at + FAILURE_LINES_MAX))
    const path = around.slice(0, depth).map(({ name }) => name)
    found.push([path.join(' > '), ...block.map(text => text.slice(indent.length))].join('\n'))
  }
  return found.slice(0, FAILURES_MAX)
}

/** The line that ends every run. */
export function sumLine(result: Pick<TapResult, 'passed' | 'failed' | 'skipped'>): string {
  return `${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped`
}

/**
 * Runs tap on the files (all tests when there are none), with its output on ours. Relative files are looked up from
 * the current directory.
 */
export async function runTap(args: readonly string[], env: NodeJS.ProcessEnv): Promise<TapResult> {
  const cwd = runDirectory()
  try {
    const files = args.map(arg => (arg.startsWith('-') ? arg : relative(root, resolve(arg))))
    const tap = spawn(node, [tapProgram(), 'run', ...files], {
      cwd,
      env: { NODE_COMPILE_CACHE: compiledPath, ...env, PATH: toolPath },
      stdio: ['ignore', 'pipe', 'inherit']
    })
    let output = ''
    tap.stdout.setEncoding('utf8').on('data', (text: string) => {
      process.stdout.write(text)
      output += text
    })
    const forward = (signal: NodeJS.Signals) => tap.kill(signal)
    process.on('SIGINT', forward).on('SIGTERM', forward)
    const exitCode = await new Promise<number>(done => tap.on('close', code => done(code ?? 1)))
    process.off('SIGINT', forward).off('SIGTERM', forward)
    const failures = failuresIn(output)
    const counts = tapCounts(output.slice(-4000))
    if (counts === undefined) return { exitCode: exitCode || 1, passed: 0, failed: 1, skipped: 0, failures }
    return { exitCode, ...counts, failures }
  } finally {
    rmSync(cwd, { recursive: true, force: true })
  }
}
