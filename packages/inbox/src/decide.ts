import { backoffMs, jitter } from '@steadfast/events/runtime'
import type { DeliveryError, Replay } from '@steadfast/store/internal'
import type { ParsedHandlerOptions } from './options.ts'
import type { Run } from './types.ts'

/** Runs in a row without a database before the group pauses. */
const DOWN_RUNS = 4
/** So often a delivery may meet a world that is wrong for it alone, since others get through: then it is what is wrong. */
const ALONE_RUNS = 5
/** Runs in a row in which its transaction was in the way of others; then it counts as a failure. */
const CONFLICT_RUNS = 10
/** A delivery that is asked to wait for longer than this is set aside, and with it what stands behind it. */
const IN_MEMORY_MS = 3_000
/** So often a delivery may be asked to wait in a row before it is set aside. */
const IN_MEMORY_WAITS = 3
const LEAST_WAIT_MS = 50
const LONGEST_WAIT_MS = 30_000
/** One that was set aside and is asked to wait runs again after so long, unless it was told when. */
const STORED_WAIT_MS = 5_000

/** What a delivery has behind it. */
export interface History {
  /** Absent: it is fresh from the log. Else its row was set aside, after so many failures that counted. */
  readonly stored?: { readonly attempts: number }
  /** Failures in memory, which do not count yet. */
  readonly failures: number
  /** Runs in a row that were in the way of others. */
  readonly conflicts: number
  /** Runs in a row that asked to wait. */
  readonly waits: number
  /** Runs in a row that found no database. */
  readonly downs: number
  /** How often it met a wrong world while others got through. */
  readonly alone: number
}

/** What else counts at the moment. */
export interface Conditions {
  /** Deliveries get through: the breaker is closed. */
  readonly othersGetThrough: boolean
  /** The type fails for many keys. */
  readonly isSlow: boolean
  /** It tells of a request of this service's own: nobody else would hear of a refusal. */
  readonly isUnanswered: boolean
}

/** What is to be done with a delivery after a run. */
export type Decision = (
  | { deed: 'end'; how: 'handled' | 'duplicate' | 'blocked' | 'lost' | 'skipped'; status: number }
  | { deed: 'refuse'; status: number; error: DeliveryError; alarm?: string | undefined }
  | { deed: 'set-aside'; attempts: number; dueInMs: number; status: number; error: DeliveryError }
  | { deed: 'hold'; attempts: number; status: number; error: DeliveryError }
  | { deed: 'fail-rerun'; replay: Replay; error: DeliveryError }
  | { deed: 'run-again'; afterMs: number }
  /** Neither done nor failed: it stays as it is. */
  | { deed: 'leave' }
) & {
  history: History
  /** What the run says of the world: see the breaker. */
  breaker: { says: 'good' | 'neutral' } | { says: 'bad'; error: DeliveryError }
  /** What it says of its type: see the slow types. */
  type?: 'works' | 'fails'
}

export const FRESH: History = { failures: 0, conflicts: 0, waits: 0, downs: 0, alone: 0 }

/**
 * The outcome table of the README: what becomes of a delivery, by what its run came to, what it has behind it and what
 * else counts. Pure but for the jitter of its pauses.
 */
export function decide(run: Run, history: History, conditions: Conditions, options: ParsedHandlerOptions): Decision {
  const { stored } = history
  const good = { history, breaker: { says: 'good' } } as const
  switch (run.kind) {
    case 'done':
      if (run.how === 'lost' && stored === undefined) return { deed: 'run-again', afterMs: 0, ...good }
      return { deed: 'end', how: run.how, status: run.status, ...good, ...(run.how === 'handled' && { type: 'works' }) }

    case 'verdict':
      if (run.replay !== undefined) return { deed: 'fail-rerun', replay: run.replay, error: run.error, ...good }
      if (conditions.isUnanswered) return fail(run, history, options)
      return { deed: 'refuse', status: run.status, error: run.error, alarm: run.alarm, type: 'works', ...good }

    case 'wait': {
      const waits = history.waits + 1
      if (stored !== undefined)
        return { ...setAside(run, stored.attempts, run.ms ?? STORED_WAIT_MS), ...good, history: { ...history, waits } }
      const ms = run.ms ?? Math.min(LONGEST_WAIT_MS, 1_000 * 2 ** history.waits)
      if (ms > IN_MEMORY_MS || waits > IN_MEMORY_WAITS) return { ...setAside(run, 0, ms), ...good }
      return { deed: 'run-again', afterMs: Math.max(LEAST_WAIT_MS, ms), ...good, history: { ...history, waits } }
    }

    case 'again': {
      // Who is in the way of the inbox's own statement has this event: its transaction ends by its own limits.
      const counts = run.reached || stored !== undefined
      const conflicts = history.conflicts + (counts ? 1 : 0)
      if (conflicts > CONFLICT_RUNS) return fail(run, history, options)
      const afterMs = backoffMs(conflicts, { firstMs: 10, lastMs: 1_000 })
      return { deed: 'run-again', afterMs, ...good, history: { ...history, conflicts } }
    }

    case 'world': {
      const { error } = run
      const bad = { says: 'bad', error } as const
      const neutral = { says: 'neutral' } as const
      const downs = history.downs + (run.sure ? 0 : 1)
      if (!conditions.othersGetThrough) return { ...stay(stored), history: { ...history, downs }, breaker: bad }
      if (!run.sure && stored === undefined && downs < DOWN_RUNS) {
        const afterMs = backoffMs(downs, { firstMs: 20, lastMs: 500 })
        return { deed: 'run-again', afterMs, history: { ...history, downs }, breaker: neutral }
      }
      const alone = history.alone + 1
      const failure = { status: error.status ?? 500, error }
      if (alone > ALONE_RUNS) return { ...fail(failure, { ...history, downs, alone: 0 }, options), breaker: neutral }
      return { ...stay(stored), history: { ...history, downs, alone }, breaker: bad }
    }

    case 'failure': {
      const { quickRetries, quickRetryDelayMs } = options.retry
      if (stored !== undefined || history.failures >= quickRetries || conditions.isSlow)
        return fail(run, history, options)
      const afterMs = backoffMs(history.failures, { firstMs: quickRetryDelayMs, lastMs: 60_000 })
      return { deed: 'run-again', afterMs, ...good, history: { ...history, failures: history.failures + 1 } }
    }

    case 'abandoned':
      return { deed: 'leave', history, breaker: { says: 'neutral' } }
  }
}

interface Failure {
  status: number
  error: DeliveryError
  replay?: Replay | undefined
}

/** A failure that counts: the delivery is set aside, or given up when there is nothing more to be tried. */
function fail({ status, error, replay }: Failure, history: History, options: ParsedHandlerOptions): Decision {
  const after = { history: { ...history, failures: 0 }, breaker: { says: 'good' } } as const
  if (replay !== undefined) return { deed: 'fail-rerun', replay, error, ...after }
  const counted = { ...after, type: 'fails' } as const
  const attempts = (history.stored?.attempts ?? 0) + 1
  const delayMs = options.retry.delaysMs[attempts - 1]
  if (delayMs !== undefined) return { ...setAside({ status, error }, attempts, jitter(delayMs)), ...counted }
  if (options.onExhausted === 'refuse') return { deed: 'refuse', status, error, ...counted }
  return { deed: 'hold', attempts, status, error, ...counted }
}

function setAside({ status, error, replay }: Failure, attempts: number, dueInMs: number) {
  // A rerun has a row that is done.
  if (replay !== undefined) return { deed: 'fail-rerun', replay, error } as const
  return { deed: 'set-aside', attempts, dueInMs, status, error } as const
}

/** While the world is wrong: a fresh delivery waits for the breaker, a stored one for its next turn. */
const stay = (stored: History['stored']) =>
  stored === undefined ? ({ deed: 'run-again', afterMs: 0 } as const) : ({ deed: 'leave' } as const)
