import { serialQueue, settlesWithin } from '@steadfast/events/runtime'
import {
  type Db,
  databaseProblem,
  type Swept,
  shortTransaction,
  sweepEvents,
  type TransactionBounds,
  tellParked
} from '@steadfast/store/internal'
import type { FastifyBaseLogger } from 'fastify'
import type { Pool } from 'pg'
import { afterSweep, beforeSweep } from './channels.ts'
import { createPurge } from './create-purge.ts'
import { SweeperClosed } from './errors.ts'
import type { Retention } from './retention.ts'

/** What one tick did: ids that are due again, ids that were parked, and how many old rows went. */
export interface SweepTally extends Swept {
  purged: number
}

export interface TickOptions {
  /** Instead of the database's clock. Only for tests. */
  now?: Date
  /** `true`: remove all that may go, rather than at the usual pace. */
  purgeAll?: boolean
}

/** Whether the sweeper can work, and what it did last. */
export interface SweeperHealth {
  ready: boolean
  reason?: string
  /** The last tick that succeeded: how long ago, in ms, and how many events and rows it was about. Absent before the first. */
  last?: { agoMs: number; resent: number; parked: number; purged: number }
}

/** What `fastify.sweeper` is. */
export interface Sweeper {
  /**
   * Takes up what was not confirmed in time, and removes a little of what is old. Ticks do not overlap.
   *
   * @throws SF_SWEEPER_CLOSED, and what the database answers
   */
  tick(options?: TickOptions): Promise<SweepTally>
  /** How long finished rows stay; `false`: for ever. */
  readonly retention: Retention | false
  /** Not ready when the last tick failed, when one does not end, and while the server closes. */
  health(): SweeperHealth
}

export interface SweeperSettings extends TransactionBounds {
  pool: Pool
  schema: string
  sweepLimit: number
  maxResendsOutstanding: number
  /** `false`: nothing is removed. */
  retention: Retention | false
  purgeIntervalMs: number
  purgeBatch: number
  closeDeadlineMs: number
  log: FastifyBaseLogger
  /** Something is due again. */
  resent(): void
}

// Statements have limits of their own; beyond this, a sweep waits for a connection that nobody gives back.
const STUCK_MS = 60_000
// A walk over the tables looks at so many batches per tick, so that it never works for long at a time.
const BATCHES_PER_TICK = 10

export function createSweeper(settings: SweeperSettings): Sweeper & { close(): Promise<void> } {
  const { pool, schema, sweepLimit: limit, maxResendsOutstanding } = settings
  const purge = settings.retention === false ? undefined : createPurge(settings.retention, settings.purgeBatch)
  const run = <T>(verb: (db: Db) => Promise<T>) => {
    begunAt = performance.now()
    return shortTransaction(pool, schema, settings, verb)
  }
  let restUntil = 0
  let closing = false
  const ticks = serialQueue()
  let begunAt: number | undefined
  let problem: string | undefined
  let done: { at: number; resent: number; parked: number; purged: number } | undefined

  async function sweep(now: Date | undefined): Promise<Swept> {
    if (beforeSweep.hasSubscribers) beforeSweep.publish({})
    const swept = await run(db => sweepEvents(db, { limit, maxResendsOutstanding }, now))
    if (swept.resent.length > 0) settings.resent()
    tellParked(settings.log, { eventIds: swept.parked, reason: 'UNCONFIRMED' })
    if (afterSweep.hasSubscribers) afterSweep.publish(swept)
    return swept
  }

  async function removeOld({ now, purgeAll = false }: TickOptions): Promise<number> {
    if (purge === undefined || (!purgeAll && performance.now() < restUntil)) return 0
    let total = 0
    for (let n = 0; (purgeAll || n < BATCHES_PER_TICK) && !closing; n++) {
      const { purged, done } = await purge.step(run, now)
      total += purged
      if (!done) continue
      restUntil = performance.now() + settings.purgeIntervalMs
      break
    }
    return total
  }

  async function work(options: TickOptions): Promise<SweepTally> {
    if (closing) throw new SweeperClosed()
    try {
      const swept = await sweep(options.now)
      const purged = await removeOld(options)
      done = { at: performance.now(), resent: swept.resent.length, parked: swept.parked.length, purged }
      problem = undefined
      return { ...swept, purged }
    } catch (error) {
      problem = databaseProblem(error)
      throw error
    } finally {
      begunAt = undefined
    }
  }

  function whyNotReady(): string | undefined {
    if (closing) return 'the sweeper is closing'
    if (begunAt !== undefined && performance.now() - begunAt > STUCK_MS) return 'database: a tick does not end'
    return problem === undefined ? undefined : `database: ${problem}`
  }

  function lastTick(): Pick<SweeperHealth, 'last'> {
    if (done === undefined) return {}
    const { at, ...did } = done
    return { last: { agoMs: Math.round(performance.now() - at), ...did } }
  }

  return {
    tick: (options = {}) => ticks.run(() => work(options)),
    health() {
      const reason = whyNotReady()
      return { ready: reason === undefined, ...(reason === undefined ? {} : { reason }), ...lastTick() }
    },
    retention: settings.retention,
    async close() {
      closing = true
      await settlesWithin(ticks.idle(), settings.closeDeadlineMs)
    }
  }
}
