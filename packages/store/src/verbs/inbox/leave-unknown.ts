import type { Db } from '../../db.ts'
import { type DeliveryError, type NewDelivery, UNFINISHED } from './get-delivery.ts'
import { deliveryValues, NEW_DELIVERY_COLUMNS, unlessUnderFullId } from './receive-delivery.ts'

/** What is kept of a delivery that this process does not know, and how long it is left for one that does. */
export interface LeftUnknown {
  body: Buffer
  patienceMs: number
  error: DeliveryError
}

/**
 * Stores a fresh delivery that this process does not know, for one that does. Behind unfinished ones of its topic and key
 * it is blocked like any other, and its patience begins when it is the first. The reason stands in its row from the
 * beginning: it says that nobody has vouched for it, see `findKnown`.
 *
 * @returns false when the event is known already, or another has its id: nothing was changed
 */
export async function leaveUnknown(db: Db, delivery: NewDelivery, left: LeftUnknown, now?: Date): Promise<boolean> {
  const s = db.schema
  const rows = await db.rows(
    `insert into ${s}.inbox (${NEW_DELIVERY_COLUMNS}, state, body, error, due_at)
     select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::timestamptz,
       case when behind.others then 'BLOCKED' else 'UNKNOWN' end, $14,
       $15::json,
       case when not behind.others then coalesce($16::timestamptz, clock_timestamp()) + $17::float8 * interval '1 ms' end
     from (select exists (select from ${s}.inbox u
       where u.consumer = $1 and u.topic = $4 and u.key = $3 and u.state in ${UNFINISHED}) as others) behind
     where ${unlessUnderFullId(s)}
     on conflict (consumer, event_id) do nothing
     returning arrival`,
    [...deliveryValues(delivery), left.body, JSON.stringify(left.error), now, left.patienceMs]
  )
  return rows.length > 0
}
