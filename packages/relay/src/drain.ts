import { type DueBatch, fetchDue } from '@steadfast/store/internal'
import { batchFetched, batchSent } from './channels.ts'
import { type DrainContext, emptyTally, type Tally } from './context.ts'
import { markSent, sentOf } from './mark-sent.ts'
import { sendBatch } from './send-batch.ts'
import { settleFailures } from './settle-failures.ts'
import { unfit } from './topic-outcomes.ts'

// So many stored answers go out again at once: what is fresh waits for no more of them.
const REPLAY_BATCH = 100

/**
 * Sends what is due until nothing is, but for topics that take nothing: those are left to probes. One send is
 * outstanding at any time; while it is, the batch before it is marked and the batch after it is read.
 *
 * What keeps the order of a key of a topic: its events are read by `seq`, skipping only what is in flight or backed off,
 * which are whole keys or whole topics; the next batch goes out only after the answer for this one; and when an event
 * fails, the later ones of its key are dropped from the batch that was read meanwhile. They come again with the next
 * read, behind the one that failed.
 */
export async function drain(context: DrainContext): Promise<Tally> {
  const tally = emptyTally()
  const inFlight = new Set<string>()
  let marking: Promise<void> = Promise.resolve()
  let ahead: Promise<DueBatch> | undefined
  try {
    let stopped = unfit()
    await markSent(context, [], inFlight, tally)
    while (!context.stopping() && !context.late.isFull()) {
      context.probe()
      const { events, more } = await (ahead ?? readBatch(context, inFlight))
      const batch = ahead === undefined ? events : events.filter(event => !stopped.has(event))
      ahead = undefined
      stopped = unfit()
      if (batch.length > 0 && !context.stopping()) {
        for (const { seq } of batch) inFlight.add(seq)
        if (more && context.circuit.reason === undefined) ahead = observed(readBatch(context, inFlight))
        const results = await sendBatch(context.transport, batch, {
          signal: context.signal,
          timeoutMs: context.sendTimeoutMs,
          sign: context.sign
        })
        if (batchSent.hasSubscribers) batchSent.publish({ events: batch, results })
        await marking
        marking = observed(markSent(context, sentOf(batch, results), inFlight, tally))
        stopped = await settleFailures(context, batch, results, { probing: false, tally })
        for (const [i, { seq }] of batch.entries()) if (!results[i]?.ok) inFlight.delete(seq)
        if (context.circuit.reason !== undefined) break
      }
      if (!more && !context.takeWake()) break
    }
    await marking
    return tally
  } finally {
    // After an error, what still runs is waited for: the next tick must not meet it.
    await Promise.allSettled([marking, ahead])
  }
}

async function readBatch(
  { db, topics, circuit, late, lanes, tried, replays, batchSize, probeSize, maxBatchBytes }: DrainContext,
  inFlight: ReadonlySet<string>
): Promise<DueBatch> {
  const down = circuit.reason !== undefined
  const batch = await fetchDue(db, {
    lanes: await lanes(),
    excludeSeqs: [...inFlight, ...late.seqs()],
    excludeKeys: topics.excludedKeys(),
    excludeTopics: [...topics.shut(), ...tried],
    limit: down ? probeSize : batchSize,
    replays: down ? 0 : Math.min(REPLAY_BATCH, replays.left()),
    spread: down,
    maxBytes: maxBatchBytes
  })
  replays.spend(batch.events.filter(({ replay }) => replay).length)
  // While the transport is down each look tries other topics, until all had their turn.
  if (batch.events.length === 0) tried.clear()
  if (batchFetched.hasSubscribers) batchFetched.publish({ events: batch.events })
  return batch
}

/** Its rejection is met where it is awaited, and is not unhandled before. */
function observed<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
