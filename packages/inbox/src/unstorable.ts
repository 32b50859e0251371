import { createHash } from 'node:crypto'
import type { NewDelivery } from '@steadfast/store'
import { asDeliveryError, storable } from './classify.ts'
import { refuse } from './conclude.ts'
import type { Consumer } from './consumer.ts'
import { Unstorable } from './errors.ts'

/** So often it is tried to store a row that PostgreSQL does not take, before it is refused without its body. */
export const STORE_TRIES = 3
/** Longer texts of a row that could not be stored are cut. */
const MOST = 1000

/**
 * Refuses a delivery that PostgreSQL cannot store as it came: with a hash and the size in place of its body, and with
 * texts and headers that can be stored.
 *
 * @returns false when the delivery is finished already
 */
export async function refuseUnstorable(
  consumer: Consumer,
  { row, raw }: { row: NewDelivery; raw: Buffer },
  error: unknown
): Promise<boolean> {
  const reason = asDeliveryError(new Unstorable(String((error as Error | undefined)?.message ?? error)), 422)
  const sha256 = createHash('sha256').update(raw).digest('hex')
  const body = Buffer.from(JSON.stringify({ sha256, bytes: raw.length }))
  return await refuse(consumer, { row: bareRow(row), raw: body }, 422, reason)
}

const clip = (text: string) => storable(text).slice(0, MOST)
const clipOrNull = (text: string | null) => (text === null ? null : clip(text))

function bareRow(row: NewDelivery): NewDelivery {
  const { eventId, source, type } = row
  return {
    ...row,
    key: clip(row.key),
    topic: clip(row.topic),
    position: clip(row.position),
    source: clip(source),
    type: clip(type),
    replyTo: clipOrNull(row.replyTo),
    correlationId: clipOrNull(row.correlationId),
    envelope: { id: eventId, source: clip(source), type: clip(type), attempt: 1, replay: false, headers: {} }
  }
}
