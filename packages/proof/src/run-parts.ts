import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Figures, Part, PartOptions, PartResult } from './part.ts'

/** The last line of `--json`. */
export type Summary = { seed: number; violations: number; durationMs: number } & Figures

/** Where results of parts are kept, for `--resume`: they last as long as the working copy. */
const kept = ({ seed, profile }: PartOptions, commit: string, part: string): string =>
  join(import.meta.dirname, '..', 'node_modules', '.cache', 'proof', `${commit}-${seed}-${profile}-${part}.json`)

/** The commit that the tree is at; undefined when it differs from any, and a result would not say of what. */
export function commitOfTree(): string | undefined {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  try {
    return git('status', '--porcelain') === '' ? git('rev-parse', 'HEAD').trim() : undefined
  } catch {
    return undefined
  }
}

/**
 * Runs one part after the other, and adds up what they found. Results are kept for `commit`, when there is one, and
 * taken over from there with `resume`.
 */
export async function runParts(
  parts: readonly Part[],
  options: PartOptions,
  { resume, commit }: { resume: boolean; commit: string | undefined }
): Promise<{ violations: string[]; figures: Summary }> {
  const begun = performance.now()
  const violations: string[] = []
  const sum: Figures = { histories: 0, crashPoints: 0, events: 0, faults: 0, kills: 0, mutants: 0, mutantsCaught: 0 }
  options.log(`seed ${options.seed}`)
  for (const part of parts) {
    const result =
      (resume ? passedBefore(options, commit, part.name) : undefined) ?? (await runPart(part, options, commit))
    violations.push(...result.violations)
    for (const [name, value] of Object.entries(result.figures)) sum[name as keyof Figures] += value
  }
  const figures = {
    seed: options.seed,
    histories: sum.histories,
    crashPoints: sum.crashPoints,
    events: sum.events,
    faults: sum.faults,
    kills: sum.kills,
    violations: violations.length,
    mutants: sum.mutants,
    mutantsCaught: sum.mutantsCaught,
    durationMs: Math.round(performance.now() - begun)
  }
  return { violations, figures }
}

async function runPart(part: Part, options: PartOptions, commit: string | undefined): Promise<PartResult> {
  const begun = performance.now()
  options.log(`${part.name} …`)
  const result = await part.run(options)
  options.log(
    `${part.name}: ${result.violations.length} violations, ${((performance.now() - begun) / 1000).toFixed(1)} s`
  )
  if (result.violations.length === 0 && commit !== undefined) {
    const file = kept(options, commit, part.name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, JSON.stringify(result))
  }
  return result
}

function passedBefore(options: PartOptions, commit: string | undefined, part: string): PartResult | undefined {
  if (commit === undefined) return undefined
  try {
    const result = JSON.parse(readFileSync(kept(options, commit, part), 'utf8')) as PartResult
    options.log(`${part}: passed before`)
    return result
  } catch {
    return undefined
  }
}
