import fc from 'fast-check'
import { withDatabase } from '../with-database.ts'
import { Departure, type HistoryKind } from './history-kind.ts'

export interface HistoriesOptions {
  /** The server; each run has a database of its own there. */
  url: string
  count: number
  seed: number
  /** Reruns one history: fast-check's path to it, as printed with a failure. */
  path?: string | undefined
  /** Histories at a time. Default 6. */
  lanes?: number
  /** Whether a failing history is made smaller. Default true. */
  shrink?: boolean
}

/** A history that departed from the model. */
export interface HistoryFailure {
  kind: string
  seed: number
  path: string
  shrunk: number
  message: string
  trail: string[]
}

export interface HistoriesFigures {
  kind: string
  histories: number
  steps: number
  durationMs: number
  failures: HistoryFailure[]
}

// Histories that share a seed. Small, so that lanes finish together.
const CHUNK = 20
const LARGEST_SEED = 2 ** 31

/** The command that runs a failed history again. */
export const rerunCommand = ({ kind, seed, path }: HistoryFailure): string =>
  `node packages/proof/src/proof.ts --histories ${kind} --seed ${seed} --path ${path}`

/**
 * Runs so many histories, several at a time, and stops at the first that fails. The same seed gives the same histories;
 * what depends on chance in the database (the jitter of deadlines) is taken over into the model.
 */
export async function runHistories<Operation>(
  kind: HistoryKind<Operation>,
  options: HistoriesOptions
): Promise<HistoriesFigures> {
  const { count, seed, path, shrink = true } = options
  const begun = performance.now()
  const figures: HistoriesFigures = { kind: kind.name, histories: 0, steps: 0, durationMs: 0, failures: [] }
  const chunks = path === undefined ? Math.ceil(count / CHUNK) : 1
  let next = 0

  async function work(url: string, lane: number): Promise<void> {
    const opened = await kind.openLane(url, `lane_${lane}`)
    try {
      while (next < chunks && figures.failures.length === 0) {
        const chunk = next++
        const runs = Math.min(CHUNK, count - chunk * CHUNK)
        let failed: string[] = []
        const property = fc.asyncProperty(kind.operations, async operations => {
          const trail: string[] = []
          try {
            await kind.run(opened, operations, trail)
          } catch (error) {
            failed = trail
            throw error
          }
          figures.steps += trail.length
        })
        const result = await fc.check(property, {
          seed: path === undefined ? (seed + chunk * 7919) % LARGEST_SEED : seed,
          endOnFailure: !shrink,
          ...(path === undefined ? { numRuns: runs } : { path })
        })
        figures.histories += path === undefined ? result.numRuns : 1
        if (result.failed) figures.failures.push(failure(kind.name, result as fc.RunDetails<[Operation[]]>, failed))
      }
    } finally {
      await opened.close()
    }
  }

  await withDatabase(options.url, async url => {
    const lanes = Math.min(options.lanes ?? 6, chunks)
    await Promise.all(Array.from({ length: lanes }, (_, lane) => work(url, lane)))
  })
  return { ...figures, durationMs: Math.round(performance.now() - begun) }
}

function failure<Operation>(kind: string, result: fc.RunDetails<[Operation[]]>, trail: string[]): HistoryFailure {
  const error = result.errorInstance
  return {
    kind,
    seed: result.seed,
    path: result.counterexamplePath ?? '',
    shrunk: result.numShrinks,
    message:
      error instanceof Departure
        ? error.message
        : error instanceof Error
          ? (error.stack ?? error.message)
          : String(error),
    trail
  }
}
