import { fetchDue } from '@steadfast/store/internal'
import { batchFetched, batchSent } from './channels.ts'
import { type DrainContext, emptyTally, type Tally } from './context.ts'
import { markSent, sentOf } from './mark-sent.ts'
import { sendBatch } from './send-batch.ts'
import { settleFailures } from './settle-failures.ts'

/**
 * Tries a few events of topics that took nothing, apart from all others, so that only they wait for a broker that takes
 * its time over them. A topic is left to probes as long as it takes nothing, so that no two sends of a key overlap: what
 * was sent is marked before the topic is any other's again.
 */
export async function probeTopics(context: DrainContext): Promise<Tally> {
  const { db, transport, topics, late, lanes, probeSize, maxBatchBytes, signal, sendTimeoutMs, sign } = context
  const tally = emptyTally()
  const onlyTopics = topics.toProbe(probeSize)
  if (onlyTopics.length === 0 || context.stopping() || late.isFull()) return tally
  const { events } = await fetchDue(db, {
    lanes: await lanes(),
    onlyTopics,
    excludeSeqs: late.seqs(),
    excludeKeys: topics.excludedKeys(),
    limit: probeSize,
    replays: probeSize,
    spread: true,
    maxBytes: maxBatchBytes
  })
  if (batchFetched.hasSubscribers) batchFetched.publish({ events })
  const found = new Set(events.map(({ topic }) => topic))
  for (const topic of onlyTopics) if (!found.has(topic)) topics.notFound(topic)
  if (events.length === 0 || context.stopping()) return tally
  const results = await sendBatch(transport, events, { signal, timeoutMs: sendTimeoutMs, sign })
  if (batchSent.hasSubscribers) batchSent.publish({ events, results })
  await markSent(context, sentOf(events, results), new Set(), tally)
  await settleFailures(context, events, results, { probing: true, tally })
  return tally
}
