import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Figures, Part, PartOptions, PartResult } from './part.ts'

/** The last line of `--json`. */
export type Summary = { seed: number; violations: number; durationMs: number } & Figures

/** Where results of parts are kept, for `--resume`: they last as long as the working copy. */
const kept = ({ seed, profile }: PartOptions, part: string): string =>
  join(import.meta.dirname, '..', 'node_modules', '.cache', 'proof', `${seed}-${profile}-${part}.json`)

/** Runs one part after the other, and adds up what they found. */
export async function runParts(
  parts: readonly Part[],
  options: PartOptions,
  { resume }: { resume: boolean }
): Promise<{ violations: string[]; figures: Summary }> {
  const begun = performance.now()
  const violations: string[] = []
  const sum: Figures = { histories: 0, crashPoints: 0, events: 0, faults: 0, kills: 0, mutants: 0, mutantsCaught: 0 }
  options.log(`seed ${options.seed}`)
  for (const part of parts) {
    const result = (resume ? passedBefore(options, part.name) : undefined) ?? (await runPart(part, options))
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

async function runPart(part: Part, options: PartOptions): Promise<PartResult> {
  const begun = performance.now()
  options.log(`${part.name} …`)
  const result = await part.run(options)
  options.log(
    `${part.name}: ${result.violations.length} violations, ${((performance.now() - begun) / 1000).toFixed(1)} s`
  )
  if (result.violations.length === 0) {
    const file = kept(options, part.name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, JSON.stringify(result))
  }
  return result
}

function passedBefore(options: PartOptions, part: string): PartResult | undefined {
  try {
    const result = JSON.parse(readFileSync(kept(options, part), 'utf8')) as PartResult
    options.log(`${part}: passed before`)
    return result
  } catch {
    return undefined
  }
}
