import type { PublishResult } from '@steadfast/events'
import { type DueEvent, type MarkResult, markPublished } from '@steadfast/store/internal'
import { afterMark, beforeMark } from './channels.ts'
import type { DrainContext, Tally } from './context.ts'

/** What the transport acknowledged of a batch. */
export function sentOf(batch: readonly DueEvent[], results: readonly PublishResult[]): DueEvent[] {
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
