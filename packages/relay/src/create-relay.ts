import { randomUUID } from 'node:crypto'
import type { SigningKey, Transport } from '@steadfast/events'
import { serialQueue, settlesWithin } from '@steadfast/events/runtime'
import { type Db, databaseProblem, type OutboxStats, outboxStats } from '@steadfast/store/internal'
import type { FastifyBaseLogger } from 'fastify'
import { circuit } from './circuit.ts'
import { type DrainContext, emptyTally, type Tally } from './context.ts'
import { drain } from './drain.ts'
import { RelayClosed } from './errors.ts'
import { type FailingTopic, failingTopics } from './failing-topics.ts'
import { lookEveryMs } from './give-up.ts'
import { ALL_LANES, heartbeat } from './heartbeat.ts'
import { lateMarks } from './late-marks.ts'
import { markSent } from './mark-sent.ts'
import { probeTopics } from './probe-topics.ts'
import { replayBudget, UNBOUNDED } from './replay-budget.ts'
import { type Schedule, startSchedule } from './start-schedule.ts'

export type { Tally } from './context.ts'
export type { FailingTopic } from './failing-topics.ts'

/** What `fastify.relay` is. */
export interface Relay {
  /** This relay among the living ones. */
  readonly id: string
  /**
   * Sends what is due now, and resolves when nothing more is due in this relay's lanes, but for what is backed off and
   * for stored answers beyond this second's budget. Ticks do not overlap; one that is called while another runs follows
   * it.
   *
   * @param options `everything`: also the lanes of other relays, topics and keys that are backed off, and all stored
   * answers; for tests and tools
   * @throws SF_RELAY_CLOSED, and what the database answers
   */
  tick(options?: { everything?: boolean }): Promise<Tally>
  /** A hint that something is due. Cheap; never throws. */
  wake(): void
  /**
   * Not ready while the transport or the database cannot be worked with, a database that is read-only included. Topics that take nothing are listed, at most
   * 100, and do not make it unready: all others are sent.
   */
  health(): { ready: boolean; reason?: string; topics?: FailingTopic[] }
  /**
   * How far behind the outbox is, how many relays share it, and how many signals this one has given up. One query.
   */
  stats(): Promise<OutboxStats & { relays: number; dropped: number }>
}

export interface RelaySettings {
  batchSize: number
  maxBatchBytes: number
  pollIntervalMs: number
  schedule: boolean
  beatIntervalMs: number
  deadAfterMs: number
  sendTimeoutMs: number
  topicPatienceMs: number
  closeDeadlineMs: number
  sign?: SigningKey | undefined
}

/** A relay and the two ends of its life. */
export interface RunningRelay extends Relay {
  start(): void
  /** Waits for the send under way and its mark, under the deadline, and leaves. */
  close(): Promise<void>
}

// After a failure of everything, a few events are tried rather than a whole batch.
const PROBE_SIZE = 50
const LISTED_TOPICS = 100
// Stored answers that go out again, for each relay.
const REPLAYS_PER_SECOND = 1000
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
  const topics = failingTopics({ lookEveryMs: lookEveryMs(settings.topicPatienceMs) })
  const sending = circuit({ firstMs: 100, lastMs: 3000 })
  const database = circuit({ firstMs: 50, lastMs: 3000 })
  const reach = circuit({ firstMs: 100, lastMs: 3000 })
  const late = lateMarks()
  const canSend = () => reach.failingMs() <= settings.deadAfterMs
  const heart = heartbeat(db, id, { ...settings, canSend, log })
  // While others send what is due, only the transport's own word says that it works again; it may be wrong, so this
  // relay relies on it more and more rarely until a send has shown it.
  const trials = circuit({ firstMs: settings.deadAfterMs, lastMs: MAX_TRIAL_MS })
  const abort = new AbortController()
  let schedule: Schedule | undefined
  const ticks = serialQueue()
  let probing: Promise<Tally> | undefined
  let dropped = 0
  let stopping = false
  let woken = false

  const context: DrainContext = {
    ...settings,
    db,
    transport,
    log,
    topics,
    circuit: sending,
    reach,
    late,
    tried: new Set(),
    replays: replayBudget(REPLAYS_PER_SECOND),
    probeSize: Math.min(PROBE_SIZE, settings.batchSize),
    lanes: heart.lanes,
    probe,
    signal: abort.signal,
    stopping: () => stopping,
    takeWake() {
      const was = woken
      woken = false
      return was
    }
  }

  async function worked(work: Promise<Tally>): Promise<Tally> {
    try {
      const tally = await work
      dropped += tally.dropped
      database.succeeded()
      if (tally.sent > 0) trials.succeeded()
      return tally
    } catch (error) {
      database.failed(databaseProblem(error))
      throw error
    }
  }

  async function drained(by: DrainContext): Promise<Tally> {
    const tally = await worked(drain(by))
    if (tally.sent + tally.parked + tally.failed === 0) tryAgain()
    return tally
  }

  /** Nothing could be tried. */
  function tryAgain(): void {
    const isWaiting = topics.nextMs() !== undefined || topics.shut().length > 0
    if (!heart.isIll() || isWaiting || trials.waitMs() > 0 || !transport.health().ready) return
    trials.failed('not shown yet')
    reach.succeeded()
    sending.succeeded()
  }

  /** One at a time. */
  function probed(): Promise<Tally> {
    probing ??= worked(probeTopics(context)).finally(() => {
      probing = undefined
    })
    return probing
  }

  /** No tick waits for it, unless it is asked to: a topic that is ill may take its time. */
  function probe(): void {
    if (probing !== undefined || topics.toProbe(1).length === 0) return
    probed().then(
      ({ sent }) => sent > 0 && wake(),
      error => failed(error)
    )
  }

  async function run(how: 'scheduled' | 'called' | 'everything'): Promise<Tally> {
    if (stopping) throw new RelayClosed()
    woken = false
    if (how === 'scheduled') return drained(context)
    await probing?.catch(() => {})
    const everything = how === 'everything'
    if (everything) {
      topics.clear()
      late.hurry()
    }
    const first = topics.toProbe(1).length === 0 ? emptyTally() : await probed()
    const called = {
      ...context,
      lanes: everything ? async () => ALL_LANES : heart.lanes,
      replays: everything ? UNBOUNDED : context.replays,
      // It has been made, and is not to go on when this tick has ended.
      probe() {}
    }
    return sum(first, await drained(called))
  }

  const queue = (how: 'scheduled' | 'called' | 'everything'): Promise<Tally> => ticks.run(() => run(how))

  function wake(): void {
    woken = true
    schedule?.wake()
  }

  const failed = (error: unknown) => log.warn({ err: error }, 'the relay could not work; it tries again')

  return {
    id,
    tick: ({ everything = false } = {}) => queue(everything ? 'everything' : 'called'),
    wake,
    health() {
      if (stopping) return { ready: false, reason: 'the relay is closing' }
      const unusable = database.reason ?? heart.failure()
      if (unusable !== undefined) return { ready: false, reason: `database: ${unusable}` }
      if (late.isFull()) return { ready: false, reason: 'database: too many rows of sent events are locked' }
      const failing = topics.list().slice(0, LISTED_TOPICS)
      const listed = failing.length === 0 ? {} : { topics: failing }
      const { ready, reason: said = 'not ready' } = transport.health()
      const reason = sending.reason ?? (failing.length === 0 || ready ? undefined : said)
      if (reason !== undefined) return { ready: false, reason: `${transport.name}: ${reason}`, ...listed }
      return { ready: true, ...listed }
    },
    stats: async () => ({ ...(await outboxStats(db)), relays: heart.relays(), dropped }),
    start() {
      if (!settings.schedule) return
      heart.start()
      schedule = startSchedule({
        pollIntervalMs: settings.pollIntervalMs,
        woken: () => woken,
        waitMs: () => Math.max(sending.waitMs(), database.waitMs()),
        soonMs: () => soonest(topics.nextMs(), late.nextMs()),
        run: () => queue('scheduled'),
        failed
      })
    },
    async close() {
      stopping = true
      schedule?.stop()
      const deadline = setTimeout(() => abort.abort(), settings.closeDeadlineMs)
      const finish = async () => {
        await Promise.allSettled([ticks.idle(), probing])
        late.hurry()
        await markSent(context, [], new Set(), emptyTally()).catch(() => {})
        await heart.leave()
      }
      await settlesWithin(finish(), settings.closeDeadlineMs + MARK_MS)
      clearTimeout(deadline)
    }
  }
}

const soonest = (...waits: (number | undefined)[]): number | undefined => {
  const known = waits.filter(ms => ms !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}

const sum = (a: Tally, b: Tally): Tally => ({
  sent: a.sent + b.sent,
  parked: a.parked + b.parked,
  failed: a.failed + b.failed,
  dropped: a.dropped + b.dropped
})
