import { findKnown, type NewDelivery } from '@steadfast/store/internal'
import { clip } from './believe.ts'
import { asDeliveryError, DISBELIEVED } from './classify.ts'
import { refuse, type Verdict } from './conclude.ts'
import { answerKnown } from './duplicate.ts'
import { IdReused } from './errors.ts'
import type { Consumer } from './types.ts'

/** A delivery that has just arrived. */
export interface Fresh {
  row: NewDelivery
  raw: Buffer
  /** The id for a delivery whose own counts for nothing. */
  placeId(): string
}

/** A delivery under the id of its place in the log. Nobody is told of it, and it answers nothing. */
export const atPlace = <F extends Fresh>(fresh: F): F => ({
  ...fresh,
  row: { ...fresh.row, eventId: fresh.placeId(), replyTo: null, causationId: null }
})

/**
 * Stores the verdict on a fresh delivery under the id that is its own: another event's row is neither changed nor
 * answered. What is not believed, or is no event, has the id of its place in the log. A duplicate is answered.
 *
 * @returns false when the delivery is a duplicate
 */
export async function refuseFresh(consumer: Consumer, fresh: Fresh, verdict: Verdict): Promise<boolean> {
  if (DISBELIEVED.has(verdict.error.code ?? '')) return await refuse(consumer, atPlace(fresh), verdict)
  return (await storeFresh(consumer, fresh, () => refuse(consumer, fresh, verdict))) !== 'duplicate'
}

/**
 * Stores a fresh delivery under the id that is its own, which `fresh` has then. A duplicate is answered, and what its
 * source has used the id for already is refused.
 *
 * @param store writes the row; false when there is one under the id
 * @returns `refused`: its source has used the id for something else
 */
export async function storeFresh(
  consumer: Consumer,
  fresh: Fresh,
  store: () => Promise<boolean>
): Promise<'stored' | 'refused' | 'duplicate'> {
  for (;;) {
    if (await store()) return 'stored'
    const found = await findKnown(consumer.db, fresh.row)
    if (found.fit === 'reused') return (await refuseFresh(consumer, fresh, reused(fresh.row))) ? 'refused' : 'duplicate'
    if (found.fit === 'other') fresh.row = { ...fresh.row, eventId: found.eventId }
    if (found.fit !== 'same') continue
    await answerKnown(consumer, { ...fresh.row, eventId: found.known.eventId })
    return 'duplicate'
  }
}

function reused({ eventId, source, type }: NewDelivery): Verdict {
  const error = new IdReused(eventId, clip(source), clip(type))
  const status = error.statusCode ?? 409
  return { status, error: asDeliveryError(error, status), alarm: error.code }
}
