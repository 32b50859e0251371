import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { bank } from './bank/part.ts'
import { chaos, chaosOf } from './chaos/part.ts'
import { crashesOf, crashPoints } from './crash/part.ts'
import { fuzz } from './fuzz/part.ts'
import { HISTORY_KINDS, type HistoryName, histories, historiesOf } from './histories/part.ts'
import { mutantsOfGuarantees } from './mutants/guarantees.ts'
import type { Mutant } from './mutants/mutant.ts'
import { mutants, mutantsOf } from './mutants/part.ts'
import { chooseMutants, MUTANTS } from './mutants/run-mutants.ts'
import type { Part, Profile } from './part.ts'

/** Every part, the cheapest first. */
const PARTS: readonly Part[] = [histories, fuzz, bank, crashPoints, chaos, mutants]
/** They belong to the large run alone. */
const LARGE: ReadonlySet<Part> = new Set([fuzz, bank])

export const USAGE = `proof [options]

  (none)                what a change must pass: histories, crashPoints, chaos and mutants, small
  --full                every part, large
  --only PART,…         these parts alone: ${PARTS.map(({ name }) => name).join(', ')}
  --resume              leaves out parts that have passed on this commit with this seed and size
  --histories KIND      histories of one model alone: ${HISTORY_KINDS.join(', ')}
    --count N             how many; default 500
    --path P              the one history of this path, as a failure prints it
    --no-shrink           a failing history as it came
  --crash TIMES         every crash point so often, alone
  --chaos SECONDS       faults under load for so long, alone
    --rate N              requests per second; default 25
    --brokers 1|3         of Kafka; default 1
  --soak MINUTES        the same, for longer
  --mutants all|N       all deliberate defects, or N of them by the seed
  --mutant NAME         one of them: exit code 1 when it is caught, and its invariant is named; 3 when it is not
  --guarantees          for each guarantee of GUARANTEES.md: the tests it names turn red with its mutants, and are green
                        without
  --seed N              default: a new one, which is printed
  --json                the last line of the output is the figures as JSON

Exit codes: 0 nothing broke and every mutant was caught; 1 something broke; 2 wrong use.`

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
  brokers: { type: 'string' },
  soak: { type: 'string' },
  crash: { type: 'string' },
  mutants: { type: 'string' },
  mutant: { type: 'string' },
  guarantees: { type: 'boolean' },
  seed: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' }
} as const

/** What was asked for cannot be done. */
export class Misuse extends Error {}

export interface Command {
  parts: readonly Part[]
  seed: number
  profile: Profile
  resume: boolean
  /** Whether what the parts find may be taken over by `--resume`: those of a size by hand are not. */
  keep: boolean
  json: boolean
  /** The one mutant that was asked for by its name. */
  mutant: Mutant | undefined
}

type Values = ReturnType<typeof parse>

function parse(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS }).values
  } catch (error) {
    throw new Misuse((error as Error).message)
  }
}

function integer(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  if (!/^\d{1,10}$/.test(text)) throw new Misuse(`--${name} takes a number, not ${text}`)
  return Number(text)
}

/** @throws Misuse @returns undefined when help was asked for */
export function readCommand(args: string[]): Command | undefined {
  const values = parse(args)
  if (values.help) return undefined
  const seed = integer('seed', values.seed, randomInt(2 ** 31))
  const profile = values.full ? 'full' : 'ci'
  const mutant = values.mutant === undefined ? undefined : named('mutant', values.mutant, MUTANTS)
  const alone = mutant ? [mutantsOf(() => [mutant])] : readPart(values)
  const { resume = false, json = false } = values
  return { parts: alone ?? readParts(values), seed, profile, resume, keep: alone === undefined, json, mutant }
}

/** A part alone, with its size by hand. */
function readPart(values: Values): Part[] | undefined {
  const { path, histories, crash, chaos, soak, mutants, guarantees, brokers = '1' } = values
  if (histories !== undefined) {
    if (!HISTORY_KINDS.includes(histories as HistoryName)) throw unknown('model', histories, HISTORY_KINDS)
    const count = integer('count', values.count, 500)
    return [historiesOf([histories as HistoryName], { count, path, shrink: !values['no-shrink'] })]
  }
  if (crash !== undefined) return [crashesOf(integer('crash', crash, 1))]
  if (chaos !== undefined || soak !== undefined) {
    const seconds = integer('soak', soak, 0) * 60 + integer('chaos', chaos, 0)
    if (brokers !== '1' && brokers !== '3') throw new Misuse(`--brokers takes 1 or 3, not ${brokers}`)
    return [chaosOf(seconds, integer('rate', values.rate, 25), brokers === '3' ? 3 : 1)]
  }
  if (guarantees) return [mutantsOf(() => mutantsOfGuarantees(), { baseline: true })]
  if (mutants === undefined) return undefined
  const count = mutants === 'all' ? MUTANTS.length : integer('mutants', mutants, 3)
  return [mutantsOf(seed => (mutants === 'all' ? MUTANTS : chooseMutants(count, seed)))]
}

const readParts = ({ only, full }: Values): readonly Part[] =>
  only === undefined
    ? PARTS.filter(part => full || !LARGE.has(part))
    : only.split(',').map(name => named('part', name, PARTS))

function named<T extends { name: string }>(what: string, name: string, all: readonly T[]): T {
  const found = all.find(one => one.name === name)
  if (found === undefined)
    throw unknown(
      what,
      name,
      all.map(one => one.name)
    )
  return found
}

const unknown = (what: string, name: string, all: readonly string[]) =>
  new Misuse(`no ${what} ${name}: ${all.join(', ')}`)
