import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Transport } from '@steadfast/events'
import { type Db, type OutboxStats, outboxStats } from '@steadfast/store'
import type { FastifyBaseLogger } from 'fastify'
import { circuit } from './circuit.ts'
import { drain, type Tally } from './drain.ts'
import { RelayClosed } from './errors.ts'
import { failingKeys } from './failing-keys.ts'
import { ALL_LANES, heartbeat } from './heartbeat.ts'
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
  /** Not ready while the transport or the database cannot be worked with. */
  health(): { ready: boolean; reason?: string }
  /** How far behind the outbox is, and how many relays share it. One query. */
  stats(): Promise<OutboxStats & { relays: number }>
}

export interface RelaySettings {
  batchSize: number
  maxBatchBytes: number
  pollIntervalMs: number
  schedule: string | false
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
  const heart = heartbeat(db, id, { ...settings, log })
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
    if (everything) keys.clear()
    woken = false
    try {
      const tally = await drain({ ...context, lanes: everything ? async () => ALL_LANES : heart.lanes })
      database.succeeded()
      return tally
    } catch (error) {
      database.failed((error as Error).message)
      throw error
    }
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
      if (database.reason !== undefined) return { ready: false, reason: `database: ${database.reason}` }
      if (sending.reason !== undefined) return { ready: false, reason: `${transport.name}: ${sending.reason}` }
      return { ready: true }
    },
    stats: async () => ({ ...(await outboxStats(db)), relays: heart.relays() }),
    start() {
      if (settings.schedule === false) return
      heart.start()
      schedule = startSchedule({
        expression: settings.schedule,
        pollIntervalMs: settings.pollIntervalMs,
        woken: () => woken,
        waitMs: () => Math.max(sending.waitMs(), database.waitMs()),
        soonMs: () => keys.nextMs(),
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
        await heart.leave()
      })
      clearTimeout(deadline)
    }
  }
}

async function within(ms: number, work: () => Promise<void>): Promise<void> {
  const late = new AbortController()
  await Promise.race([work(), sleep(ms, undefined, { signal: late.signal }).catch(() => {})])
  late.abort()
}
