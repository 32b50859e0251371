import { spawn } from 'node:child_process'
import { copyTree, StaleMutant, type TreeCopy } from './copy-tree.ts'
import { guaranteeMutants } from './guarantee-mutants.ts'
import type { CatchBy, Mutant } from './mutant.ts'
import { packageMutants } from './package-mutants.ts'
import { storeMutants } from './store-mutants.ts'

export const MUTANTS: readonly Mutant[] = [...storeMutants, ...packageMutants, ...guaranteeMutants]

/** What became of a mutant. `broken`: what should catch it fails without it too. */
export type Verdict = 'caught' | 'survived' | 'stale' | 'broken'

export interface MutantResult {
  mutant: Mutant
  verdict: Verdict
  /** The last lines of what caught it, or why it says nothing. */
  output: string
  durationMs: number
}

export interface MutantsOptions {
  seed: number
  postgresUrl: string
  log(line: string): void
  /** Copies of the tree, each with one defect at a time. Default 2. */
  copies?: number
  /** Whether what catches a mutant is first seen to pass without it. Default true. */
  baseline?: boolean
}

const WATCH_PARENT = new URL('./watch-parent.ts', import.meta.url).href
// A defect may well make a test hang.
const TIMEOUT_MS = 120_000

/** The command that must fail with the mutant, from the root of the tree. */
export function commandOf(catchBy: CatchBy, seed: number): string[] {
  return 'test' in catchBy
    ? ['packages/dev-services/src/bin/tap.ts', catchBy.test, ...grepOf(catchBy.titles)]
    : [
        'packages/proof/src/proof.ts',
        '--histories',
        catchBy.histories,
        '--count',
        String(catchBy.count),
        '--seed',
        String(seed),
        '--no-shrink'
      ]
}

/** For tap. Titles are written as in the source: of those made from a template, whatever the place holds. */
function grepOf(titles: readonly string[] | undefined): string[] {
  if (titles === undefined) return []
  const pattern = (title: string) =>
    title
      .split(/\$\{[^}]*\}/)
      .map(part => part.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&'))
      .join('.*')
  return [`--grep=/^(${titles.map(pattern).join('|')})$/`]
}

/** So many different mutants, by the seed. */
export function chooseMutants(count: number, seed: number): Mutant[] {
  const rank = (name: string) =>
    [...name].reduce((hash, c) => (Math.imul(hash, 31) + c.charCodeAt(0)) >>> 0, Math.imul(seed, 2_654_435_761) >>> 0)
  return MUTANTS.toSorted((a, b) => rank(a.name) - rank(b.name)).slice(0, count)
}

/** Applies each mutant to a copy of the tree, never to the tree, and sees whether it is noticed. */
export async function runMutants(mutants: readonly Mutant[], options: MutantsOptions): Promise<MutantResult[]> {
  const { copies = 2, log } = options
  const waiting = [...mutants]
  const results: MutantResult[] = []
  const baselines = new Map<string, Promise<string | undefined>>()

  async function work(copy: TreeCopy): Promise<void> {
    for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
      const begun = performance.now()
      const { verdict, output } = await judge(copy, mutant, options, baselines)
      const durationMs = Math.round(performance.now() - begun)
      results.push({ mutant, verdict, output, durationMs })
      log(`${verdict}: ${mutant.name} (invariant ${mutant.invariant.join(': ')}), ${(durationMs / 1000).toFixed(1)} s`)
    }
  }

  const made = Array.from({ length: Math.min(copies, mutants.length) }, copyTree)
  try {
    await Promise.all(made.map(work))
  } finally {
    for (const copy of made) copy.remove()
  }
  return results
}

async function judge(
  copy: TreeCopy,
  mutant: Mutant,
  { seed, postgresUrl, baseline = true }: MutantsOptions,
  baselines: Map<string, Promise<string | undefined>>
): Promise<{ verdict: Verdict; output: string }> {
  const [catchBy] = [mutant.catchBy].flat()
  if (catchBy === undefined) throw new Error(`nothing catches ${mutant.name}`)
  const command = commandOf(catchBy, seed)
  const name = command.join(' ')
  if (baseline && !baselines.has(name)) baselines.set(name, failsOrRunsNothing(copy.dir, command, postgresUrl))
  const before = await baselines.get(name)
  if (before !== undefined) return { verdict: 'broken', output: `fails without the mutant too: ${name}\n${before}` }
  let undo: () => void
  try {
    undo = copy.apply(mutant.edits)
  } catch (error) {
    if (error instanceof StaleMutant) return { verdict: 'stale', output: error.message }
    throw error
  }
  try {
    const output = await fails(copy.dir, command, postgresUrl)
    return output === undefined
      ? { verdict: 'survived', output: `passes with the mutant: ${name}` }
      : { verdict: 'caught', output }
  } finally {
    undo()
  }
}

/** As {@link fails}, of a tree without a defect, where something must run: what is skipped or not there passes too. */
async function failsOrRunsNothing(cwd: string, command: string[], postgresUrl: string): Promise<string | undefined> {
  const { failed, tail } = await run(cwd, command, postgresUrl)
  return failed || /^0 passed, 0 failed/m.test(tail) ? tail : undefined
}

/** Runs a command in a copy. Its last lines when it fails; undefined when it passes. */
async function fails(cwd: string, command: string[], postgresUrl: string): Promise<string | undefined> {
  const { failed, tail } = await run(cwd, command, postgresUrl)
  return failed ? tail : undefined
}

function run(
  cwd: string,
  [script = '', ...args]: string[],
  postgresUrl: string
): Promise<{ failed: boolean; tail: string }> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, TEST_PG_URL: postgresUrl, TEST_NO_KAFKA: '1', CI: '' }
    const child = spawn(process.execPath, ['--import', WATCH_PARENT, script, ...args], {
      cwd,
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true
    })
    let tail = ''
    const keep = (text: string) => {
      tail = (tail + text).slice(-6000)
    }
    child.stdout.setEncoding('utf8').on('data', keep)
    child.stderr.setEncoding('utf8').on('data', keep)
    const timer = setTimeout(() => {
      tail += `\nnot ended after ${TIMEOUT_MS} ms`
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    }, TIMEOUT_MS)
    child.on('error', reject)
    child.on('close', code => {
      clearTimeout(timer)
      resolve({ failed: code !== 0, tail })
    })
  })
}
