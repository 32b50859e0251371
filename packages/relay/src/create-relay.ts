import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Transport } from '@steadfast/events'
import { type Db, databaseProblem, type OutboxStats, outboxStats } from '@steadfast/store'
import type { FastifyBaseLogger } from 'fastify'
import { circuit } from './circuit.ts'
import { drain, markSent, type Tally } from './drain.ts'
import { RelayClosed } from './errors.ts'
import { failingKeys } from './failing-keys.ts'
import { ALL_LANES, heartbeat } from './heartbeat.ts'
import { lateMarks } from './late-marks.ts'
import { type Schedule, startSchedule } from './start-schedule.ts'

export type { Tally } from './drain.ts'

/** What `fastify.relay` is. */
export interface Relay {
  /** This relay among the living ones. */
  readonly id: string
  /**
   * Sends what is due now, and resolves when nothing more is due in this relay's lanes. Ticks do not overlap; one that
   * is called while another runs follows it.
   *
   * @param options `everything`: also the lanes of other relays, and keys that are backed off; for tests and tools
   * @throws SF_RELAY_CLOSED, and what the database answers
   */
  tick(options?: { everything?: boolean }): Promise<Tally>
  /** A hint that something is due. Cheap; never throws. */
  wake(): void
  /** Not ready while the transport or the database cannot be worked with, a database that is read-only included. */
  health(): { ready: boolean; reason?: string }
  /** How far behind the outbox is, and how many relays share it. One query. */
  stats(): Promise<OutboxStats & { relays: number }>
}

export interface RelaySettings {
  batchSize: number
  maxBatchBytes: number
  pollIntervalMs: number
  schedule: boolean
  beatIntervalMs: number
  deadAfterMs: number
  sendTimeoutMs: number
  closeDeadlineMs: number
}

/** A relay and the two ends of its life. */
export interface RunningRelay extends Relay {
  start(): void
  /** Waits for the send under way and its mark, under the deadline, and leaves. */
  close(): Promise<void>
}

// After a failure of everything, a few events are tried rather than a whole batch.
const PROBE_SIZE = 50
// The longest that an idle relay, which has left its lanes, waits before it takes the transport at its word once more.
const MAX_TRIAL_MS = 300_000
// What closing allows for the mark after the last send, beyond the deadline of the send itself.
const MARK_MS = 3000

export function createRelay(
  db: Db,
  transport: Transport,
  settings: RelaySettings,
  log: FastifyBaseLogger
): RunningRelay {
  const id: string = randomUUID()
  const keys = failingKeys()
  const sending = circuit({ baseMs: 100, maxMs: 3000 })
  const database = circuit({ baseMs: 50, maxMs: 3000 })
  const late = lateMarks()
  const canSend = () => sending.failingMs() <= settings.deadAfterMs
  const heart = heartbeat(db, id, { ...settings, canSend, log })
  // While others send what is due, only the transport's own word says that it works again; it may be wrong, so this
  // relay relies on it more and more rarely until a send has shown it.
  const trials = circuit({ baseMs: settings.deadAfterMs, maxMs: MAX_TRIAL_MS })
  const abort = new AbortController()
  let schedule: Schedule | undefined
  let last: Promise<unknown> = Promise.resolve()
  let stopping = false
  let woken = false

  const context = {
    ...settings,
    db,
    transport,
    log,
    keys,
    circuit: sending,
    late,
    probeSize: Math.min(PROBE_SIZE, settings.batchSize),
    signal: abort.signal,
    stopping: () => stopping,
    takeWake() {
      const was = woken
      woken = false
      return was
    }
  }

  async function run(everything: boolean): Promise<Tally> {
    if (stopping) throw new RelayClosed()
    if (everything) {
      keys.clear()
      late.hurry()
    }
    woken = false
    try {
      const tally = await drain({ ...context, lanes: everything ? async () => ALL_LANES : heart.lanes })
      database.succeeded()
      if (tally.sent > 0) trials.succeeded()
      else if (tally.parked + tally.failed === 0) tryAgain()
      return tally
    } catch (error) {
      database.failed(databaseProblem(error))
      throw error
    }
  }

  /** Nothing could be tried. */
  function tryAgain(): void {
    if (!heart.isIll() || keys.nextMs() !== undefined || trials.waitMs() > 0 || !transport.health().ready) return
    trials.failed('not shown yet')
    sending.succeeded()
  }

  function tick({ everything = false }: { everything?: boolean } = {}): Promise<Tally> {
    const running = last.then(() => run(everything))
    last = running.catch(() => {})
    return running
  }

  return {
    id,
    tick,
    wake() {
      woken = true
      schedule?.wake()
    },
    health() {
      if (stopping) return { ready: false, reason: 'the relay is closing' }
      const unusable = database.reason ?? heart.failure()
      if (unusable !== undefined) return { ready: false, reason: `database: ${unusable}` }
      if (late.isFull()) return { ready: false, reason: 'database: too many rows of sent events are locked' }
      if (sending.reason !== undefined) return { ready: false, reason: `${transport.name}: ${sending.reason}` }
      return { ready: true }
    },
    stats: async () => ({ ...(await outboxStats(db)), relays: heart.relays() }),
    start() {
      if (!settings.schedule) return
      heart.start()
      schedule = startSchedule({
        pollIntervalMs: settings.pollIntervalMs,
        woken: () => woken,
        waitMs: () => Math.max(sending.waitMs(), database.waitMs()),
        soonMs: () => soonest(keys.nextMs(), late.nextMs()),
        run: () => tick(),
        failed: error => log.warn({ err: error }, 'the relay could not work; it tries again')
      })
    },
    async close() {
      stopping = true
      schedule?.stop()
      const deadline = setTimeout(() => abort.abort(), settings.closeDeadlineMs)
      await within(settings.closeDeadlineMs + MARK_MS, async () => {
        await last
        late.hurry()
        await markSent(context, [], new Set(), { sent: 0, parked: 0, failed: 0 }).catch(() => {})
        await heart.leave()
      })
      clearTimeout(deadline)
    }
  }
}

const soonest = (...waits: (number | undefined)[]): number | undefined => {
  const known = waits.filter(ms => ms !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}

async function within(ms: number, work: () => Promise<void>): Promise<void> {
  const late = new AbortController()
  await Promise.race([work(), sleep(ms, undefined, { signal: late.signal }).catch(() => {})])
  late.abort()
}
