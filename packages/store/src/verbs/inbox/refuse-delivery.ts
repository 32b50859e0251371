import type { Db } from '../../db.ts'
import { type DeliveryError, type NewDelivery, WAITING } from './get-delivery.ts'
import { deliveryValues, NEW_DELIVERY_COLUMNS, unlessUnderFullId } from './receive-delivery.ts'

/**
 * Stores the verdict on a delivery, fresh or set aside, with its body and the reason. Its key goes on. With `expired` it is
 * the verdict of a process that does not know the delivery, and falls only when the patience for one that does is over.
 *
 * @returns false when the delivery is finished or held already, its patience not over, or another event has its id: nothing
 * was changed
 */
export async function refuseDelivery(
  db: Db,
  delivery: NewDelivery,
  refusal: { body: Buffer; outcome: number; error: DeliveryError; expired?: boolean },
  now?: Date
): Promise<boolean> {
  const rows = await db.rows(
    `insert into ${db.schema}.inbox as i (${NEW_DELIVERY_COLUMNS}, state, body, outcome, error)
     select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::timestamptz, 'REFUSED', $14::bytea, $15::smallint, $16::json
     where ${unlessUnderFullId(db.schema)}
     on conflict (consumer, event_id) do update
     set state = 'REFUSED', outcome = excluded.outcome, error = excluded.error, due_at = null, updated_at = clock_timestamp()
     where i.state in ${WAITING} and i.source = excluded.source and i.type = excluded.type and i.topic = excluded.topic
       and (not $17::boolean or i.state = 'UNKNOWN' and i.due_at <= coalesce($18::timestamptz, clock_timestamp()))
     returning arrival`,
    [
      ...deliveryValues(delivery),
      refusal.body,
      refusal.outcome,
      JSON.stringify(refusal.error),
      refusal.expired ?? false,
      now
    ]
  )
  return rows.length > 0
}
