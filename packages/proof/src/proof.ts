#!/usr/bin/env node
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { launchPostgres } from '@steadfast/dev-services'
import { chaos, runChaos } from './chaos/part.ts'
import { crashPoints, runCrashPoints } from './crash/part.ts'
import { describeFailure, HISTORY_KINDS, type HistoryName, histories, runKind } from './histories/part.ts'
import { describeEscape, mutants } from './mutants/part.ts'
import { chooseMutants, MUTANTS, runMutants } from './mutants/run-mutants.ts'
import type { Part, PartResult } from './part.ts'
import { runParts } from './run-parts.ts'

const USAGE = `proof [options]

  (none)                what a change must pass: every part, small
  --full                every part, large
  --only PART,…         these parts alone: ${'histories, crashPoints, chaos, mutants'}
  --resume              leaves out parts that have passed with this seed and size
  --histories KIND      histories of one model alone: ${HISTORY_KINDS.join(', ')}
    --count N             how many; default 500
    --path P              the one history of this path, as a failure prints it
    --no-shrink           a failing history as it came
  --chaos SECONDS       faults under load for so long, alone
    --rate N              requests per second; default 25
  --soak MINUTES        the same, for longer
  --crash TIMES         every crash point so often, alone
  --mutants all|N       all deliberate defects, or N of them by the seed
  --mutant NAME         one of them: exit code 1 when it is caught, and its invariant is named; 3 when it is not
  --seed N              default: a new one, which is printed
  --json                the last line of the output is the figures as JSON

Exit codes: 0 nothing broke and every mutant was caught; 1 something broke; 2 wrong use.`

const PARTS: readonly Part[] = [histories, crashPoints, chaos, mutants]

const OPTIONS = {
  full: { type: 'boolean' },
  only: { type: 'string' },
  resume: { type: 'boolean' },
  histories: { type: 'string' },
  count: { type: 'string' },
  path: { type: 'string' },
  'no-shrink': { type: 'boolean' },
  chaos: { type: 'string' },
  rate: { type: 'string' },
  soak: { type: 'string' },
  crash: { type: 'string' },
  mutants: { type: 'string' },
  mutant: { type: 'string' },
  seed: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' }
} as const

class Misuse extends Error {}

const log = (line: string): void => console.error(line)

function read() {
  try {
    return parseArgs({ options: OPTIONS }).values
  } catch (error) {
    throw new Misuse((error as Error).message)
  }
}

function integer(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  if (!/^\d{1,10}$/.test(text)) throw new Misuse(`--${name} takes a number, not ${text}`)
  return Number(text)
}

/** Runs on a PostgreSQL of its own, or on the one that TEST_PG_URL names. */
async function withPostgres<T>(use: (url: string) => Promise<T>): Promise<T> {
  const given = process.env.TEST_PG_URL
  if (given !== undefined) return await use(given)
  const server = await launchPostgres()
  try {
    return await use(server.url)
  } finally {
    await server.stop()
  }
}

type Values = ReturnType<typeof read>

async function runHistoriesAlone(kind: string, values: Values, seed: number): Promise<number> {
  if (!HISTORY_KINDS.includes(kind as HistoryName)) throw new Misuse(`no model ${kind}: ${HISTORY_KINDS.join(', ')}`)
  const count = integer('count', values.count, 500)
  const run = await withPostgres(url =>
    runKind(kind as HistoryName, { url, count, seed, path: values.path, shrink: !values['no-shrink'] })
  )
  for (const failure of run.failures) console.log(describeFailure(failure))
  console.log(
    `seed ${seed}: ${run.histories} histories, ${run.steps} steps, ${run.failures.length} departed, ${run.durationMs} ms`
  )
  return run.failures.length === 0 ? 0 : 1
}

async function runOneMutant(name: string, seed: number): Promise<number> {
  const mutant = MUTANTS.find(m => m.name === name)
  if (mutant === undefined) throw new Misuse(`no mutant ${name}: ${MUTANTS.map(m => m.name).join(', ')}`)
  const [result] = await withPostgres(postgresUrl => runMutants([mutant], { seed, postgresUrl, log }))
  if (result?.verdict !== 'caught') {
    console.log(result ? describeEscape(result) : 'nothing ran')
    return 3
  }
  console.log(result.output.trim().split('\n').slice(-40).join('\n'))
  console.log(`mutant ${name} breaks invariant ${mutant.invariant.join(': ')}`)
  return 1
}

async function runSomeMutants(which: string, seed: number): Promise<number> {
  const chosen = which === 'all' ? MUTANTS : chooseMutants(integer('mutants', which, 3), seed)
  const results = await withPostgres(postgresUrl => runMutants(chosen, { seed, postgresUrl, log }))
  const escaped = results.filter(({ verdict }) => verdict !== 'caught')
  for (const result of escaped) console.log(describeEscape(result))
  console.log(`seed ${seed}: ${results.length - escaped.length} of ${results.length} mutants caught`)
  return escaped.length === 0 ? 0 : 1
}

/** A part that starts servers of its own, with its size by hand. */
async function runAlone(part: () => Promise<PartResult>, seed: number): Promise<number> {
  const { figures, violations } = await part()
  for (const violation of violations) console.log(`${violation}\n`)
  console.log(JSON.stringify({ seed, ...figures, violations: violations.length }))
  return violations.length === 0 ? 0 : 1
}

async function main(): Promise<number> {
  const values = read()
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  const seed = integer('seed', values.seed, randomInt(2 ** 31))
  if (values.histories !== undefined) return await runHistoriesAlone(values.histories, values, seed)
  if (values.chaos !== undefined || values.soak !== undefined) {
    const seconds = integer('soak', values.soak, 0) * 60 + integer('chaos', values.chaos, 0)
    return await runAlone(() => runChaos({ seed, seconds, rate: integer('rate', values.rate, 25), log }), seed)
  }
  if (values.crash !== undefined)
    return await runAlone(() => runCrashPoints({ seed, times: integer('crash', values.crash, 1), log }), seed)
  if (values.mutant !== undefined) return await runOneMutant(values.mutant, seed)
  if (values.mutants !== undefined) return await runSomeMutants(values.mutants, seed)
  const names = values.only?.split(',') ?? PARTS.map(({ name }) => name)
  const parts = names.map(name => {
    const part = PARTS.find(p => p.name === name)
    if (part === undefined) throw new Misuse(`no part ${name}: ${PARTS.map(p => p.name).join(', ')}`)
    return part
  })
  const profile = values.full ? 'full' : 'ci'
  const { violations, figures } = await withPostgres(postgresUrl =>
    runParts(parts, { seed, profile, postgresUrl, log }, { resume: values.resume ?? false })
  )
  for (const violation of violations) console.log(`${violation}\n`)
  if (values.json) console.log(JSON.stringify(figures))
  else
    console.log(
      Object.entries(figures)
        .map(([name, n]) => `${name} ${n}`)
        .join(', ')
    )
  return violations.length === 0 && figures.mutants === figures.mutantsCaught ? 0 : 1
}

try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof Misuse)) throw error
  console.error(`${error.message}\n\n${USAGE}`)
  process.exitCode = 2
}
