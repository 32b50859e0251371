import type { PublishResult, Transport } from '@steadfast/events'
import { type Db, type DueEvent, fetchDue, type MarkResult, markPublished, parkUnsendable } from '@steadfast/store'
import type { FastifyBaseLogger } from 'fastify'
import { afterMark, batchFetched, batchSent, beforeMark } from './channels.ts'
import type { Circuit } from './circuit.ts'
import type { FailingKeys } from './failing-keys.ts'
import type { LateMarks } from './late-marks.ts'
import { sendBatch } from './send-batch.ts'

/** What one tick did. `failed` events stay due and uncounted. */
export interface Tally {
  sent: number
  parked: number
  failed: number
}

export interface DrainContext {
  db: Db
  transport: Transport
  log: FastifyBaseLogger
  keys: FailingKeys
  circuit: Circuit
  late: LateMarks
  /** Asked before each read: others may have come, left or died while this relay was busy. */
  lanes(): Promise<readonly number[]>
  batchSize: number
  probeSize: number
  maxBatchBytes: number
  sendTimeoutMs: number
  /** Aborted when the send under way must end. */
  signal: AbortSignal
  /** The server closes: no further send begins. */
  stopping(): boolean
  /** True once after a wake that came in meanwhile. */
  takeWake(): boolean
}

interface Batch {
  events: DueEvent[]
  /** There may be more. */
  full: boolean
}

/**
 * Sends what is due until nothing is. One send is outstanding at any time; while it is, the batch before it is marked
 * and the batch after it is read.
 *
 * What keeps the order of a key: events are read by `seq`, skipping only what is in flight or whose key is backed off;
 * the next batch goes out only after the answer for this one; and when an event fails, the later ones of its key are
 * dropped from the batch that was read meanwhile. They come again with the next read, behind the one that failed.
 */
export async function drain(context: DrainContext): Promise<Tally> {
  const tally: Tally = { sent: 0, parked: 0, failed: 0 }
  const inFlight = new Set<string>()
  let marking: Promise<void> = Promise.resolve()
  let ahead: Promise<Batch> | undefined
  try {
    let failedKeys = new Set<string>()
    await markSent(context, [], inFlight, tally)
    while (!context.stopping() && !context.late.isFull()) {
      const { events, full } = await (ahead ?? readBatch(context, inFlight))
      const batch = ahead === undefined ? events : events.filter(({ key }) => !failedKeys.has(key))
      ahead = undefined
      failedKeys = new Set()
      if (batch.length > 0 && !context.stopping()) {
        for (const { seq } of batch) inFlight.add(seq)
        if (full && context.circuit.reason === undefined) ahead = observed(readBatch(context, inFlight))
        const results = await sendBatch(context.transport, batch, {
          signal: context.signal,
          timeoutMs: context.sendTimeoutMs
        })
        if (batchSent.hasSubscribers) batchSent.publish({ events: batch, results })
        await marking
        marking = observed(markSent(context, sentOf(batch, results), inFlight, tally))
        failedKeys = await settleFailures(context, batch, results, inFlight, tally)
        if (context.circuit.reason !== undefined) break
      }
      if (!full && !context.takeWake()) break
    }
    await marking
    return tally
  } finally {
    // After an error, what still runs is waited for: the next tick must not meet it.
    await Promise.allSettled([marking, ahead])
  }
}

async function readBatch(
  { db, keys, circuit, late, lanes, batchSize, probeSize, maxBatchBytes }: DrainContext,
  inFlight: ReadonlySet<string>
): Promise<Batch> {
  const limit = circuit.reason === undefined ? batchSize : probeSize
  const events = await fetchDue(db, {
    lanes: await lanes(),
    excludeSeqs: [...inFlight, ...late.seqs()],
    excludeKeys: keys.excluded(),
    limit,
    maxBytes: maxBatchBytes
  })
  if (batchFetched.hasSubscribers) batchFetched.publish({ events })
  const bytes = events.length < limit ? events.reduce((sum, { payload }) => sum + payload.length, 0) : 0
  // A character has at most three bytes in UTF-8 (as UTF-16 counts them), so this errs towards looking again.
  return { events, full: events.length === limit || bytes * 3 > maxBatchBytes / 2 }
}

/** Parks what was refused, backs off what failed, and answers the keys of both. */
async function settleFailures(
  { db, keys, circuit, log }: DrainContext,
  batch: readonly DueEvent[],
  results: readonly PublishResult[],
  inFlight: Set<string>,
  tally: Tally
): Promise<Set<string>> {
  const stopped = new Set<string>()
  const refusedKeys = new Set<string>()
  let sent = 0
  let firstError: Error | undefined
  for (const [i, event] of batch.entries()) {
    const result = results[i]
    if (result === undefined || result.ok) {
      sent++
      continue
    }
    stopped.add(event.key)
    if (result.kind !== 'refused') continue
    refusedKeys.add(event.key)
    log.error({ err: result.error, eventId: event.id, topic: event.topic }, 'the broker refused an event: parked')
    // Before anything else of its key is sent: if this fails, the refused event comes first again.
    await parkUnsendable(db, { id: event.id, count: event.count, error: result.error.message })
    tally.parked++
  }
  const failing = new Set<string>()
  for (const [i, event] of batch.entries()) {
    const result = results[i]
    if (result === undefined || result.ok) continue
    inFlight.delete(event.seq)
    if (result.kind === 'refused') continue
    tally.failed++
    firstError ??= result.error
    if (!refusedKeys.has(event.key)) failing.add(event.key)
  }
  for (const { key } of batch) if (!stopped.has(key)) keys.succeeded(key)
  const allKept = [...failing].map(key => keys.failed(key)).every(kept => kept)
  if (failing.size > 0 && ((sent === 0 && refusedKeys.size === 0) || !allKept)) {
    circuit.failed(firstError?.message ?? 'unknown')
  } else if (circuit.reason !== undefined) {
    circuit.succeeded()
    keys.clear()
  }
  if (failing.size > 0) log.warn({ err: firstError, keys: failing.size, sent }, 'events were not sent and stay due')
  return stopped
}

function sentOf(batch: readonly DueEvent[], results: readonly PublishResult[]): DueEvent[] {
  return batch.filter((_, i) => results[i]?.ok)
}

/** Marks what was sent, and with it what could not be marked before. */
export async function markSent(
  { db, late }: Pick<DrainContext, 'db' | 'late'>,
  sent: readonly DueEvent[],
  inFlight: Set<string>,
  tally: Tally
): Promise<void> {
  const events = [...sent, ...late.ready()]
  if (events.length === 0) return
  let result: MarkResult | undefined
  try {
    if (beforeMark.hasSubscribers) beforeMark.publish({ ids: events.map(({ id }) => id) })
    // Once more on another connection: nothing else goes on before it is known.
    result = await markPublished(db, events).catch(() => markPublished(db, events))
    tally.sent += sent.length
    if (afterMark.hasSubscribers) afterMark.publish({ ids: result.marked })
  } finally {
    late.settle(events, result)
    for (const { seq } of sent) inFlight.delete(seq)
  }
}

/** Its rejection is met where it is awaited, and is not unhandled before. */
function observed<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
