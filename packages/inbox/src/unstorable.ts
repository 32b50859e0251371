import { createHash } from 'node:crypto'
import type { NewDelivery } from '@steadfast/store/internal'
import { asDeliveryError, storable } from './classify.ts'
import { Unstorable } from './errors.ts'
import { type Fresh, refuseFresh } from './refuse-fresh.ts'
import type { Consumer } from './types.ts'

/** So often it is tried to store a row that PostgreSQL does not take, before it is refused without its body. */
export const STORE_TRIES = 3
/** Longer texts of a row that could not be stored are cut. Not those by which an event is known. */
const MOST = 1024

/**
 * Refuses a delivery that PostgreSQL cannot store as it came: with a hash and the size in place of its body, and with
 * texts and headers that can be stored.
 *
 * @returns false when the delivery is finished already
 */
export async function refuseUnstorable(consumer: Consumer, fresh: Fresh, error: unknown): Promise<boolean> {
  const reason = asDeliveryError(new Unstorable(String((error as Error | undefined)?.message ?? error)), 422)
  const { row, raw } = fresh
  const sha256 = createHash('sha256').update(raw).digest('hex')
  const body = Buffer.from(JSON.stringify({ sha256, bytes: raw.length }))
  return await refuseFresh(consumer, { ...fresh, row: bareRow(row), raw: body }, { status: 422, error: reason })
}

const clip = (text: string) => storable(text).slice(0, MOST)
const clipOrNull = (text: string | null) => (text === null ? null : clip(text))

function bareRow(row: NewDelivery): NewDelivery {
  const { envelope, source, type } = row
  return {
    ...row,
    key: clip(row.key),
    topic: clip(row.topic),
    position: clip(row.position),
    source: clip(source),
    type: clip(type),
    replyTo: clipOrNull(row.replyTo),
    correlationId: clipOrNull(row.correlationId),
    envelope: { id: envelope.id, source: clip(source), type: clip(type), attempt: 1, replay: false, headers: {} }
  }
}
