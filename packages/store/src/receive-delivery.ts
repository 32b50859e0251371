import type { Db } from './db.ts'
import type { NewDelivery } from './get-delivery.ts'

/** The columns that {@link deliveryValues} fills: parameters $1 to $11. */
export const NEW_DELIVERY_COLUMNS =
  'consumer, event_id, key, topic, position, source, type, reply_to, causation_id, correlation_id, envelope'

/** The values of a delivery in the order of {@link NEW_DELIVERY_COLUMNS}. */
export function deliveryValues(delivery: NewDelivery): unknown[] {
  const { consumer, eventId, key, topic, position, source, type, replyTo, causationId, correlationId } = delivery
  const envelope = JSON.stringify(delivery.envelope)
  return [consumer, eventId, key, topic, position, source, type, replyTo, causationId, correlationId, envelope]
}

/**
 * Takes a delivery in the transaction of its handler: the row says DONE and becomes true when the handler commits.
 *
 * A second handler of the same event waits here on the unique key until the first has ended; after `lockTimeoutMs`,
 * which stays set for the rest of the transaction, PostgreSQL answers 55P03.
 *
 * @returns false when the event is known already, or unfinished deliveries of its key stand before it
 */
export async function receiveDelivery(db: Db, delivery: NewDelivery, lockTimeoutMs: number): Promise<boolean> {
  const s = db.schema
  const rows = await db.rows(
    `insert into ${s}.inbox (${NEW_DELIVERY_COLUMNS}, state)
     select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'DONE'
     from (select set_config('lock_timeout', $12, true) as lock_timeout) as setting
     where setting.lock_timeout is not null and not exists (
       select from ${s}.inbox u where u.consumer = $1 and u.key = $3 and u.state in ('RETRY', 'BLOCKED', 'HELD'))
     on conflict (consumer, event_id) do nothing
     returning arrival`,
    [...deliveryValues(delivery), String(lockTimeoutMs)]
  )
  return rows.length > 0
}
