import type { Db } from '../../db.ts'
import type { DeliveryError, NewDelivery } from './get-delivery.ts'
import { deliveryValues, NEW_DELIVERY_COLUMNS, unlessUnderFullId } from './receive-delivery.ts'

/** How a delivery is set aside: to be retried in `dueInMs`, or blocked behind others of its topic and key. */
export type SetAside = { body: Buffer } & (
  | { state: 'RETRY'; dueInMs: number; attempts: number; error: DeliveryError }
  | { state: 'BLOCKED' }
)

/**
 * Stores a delivery with its body, so that its offset may advance while it waits.
 *
 * @returns false when the event is known already, or another event has its id: nothing was changed
 */
export async function setAside(db: Db, delivery: NewDelivery, aside: SetAside, now?: Date): Promise<boolean> {
  const retry = aside.state === 'RETRY' ? aside : undefined
  const rows = await db.rows(
    `insert into ${db.schema}.inbox (${NEW_DELIVERY_COLUMNS}, state, body, attempts, due_at, error)
     select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::timestamptz, $14, $15::bytea, $16::integer,
       coalesce($17::timestamptz, clock_timestamp()) + $18::float8 * interval '1 ms', $19::json
     where ${unlessUnderFullId(db.schema)}
     on conflict (consumer, event_id) do nothing
     returning arrival`,
    [
      ...deliveryValues(delivery),
      aside.state,
      aside.body,
      retry?.attempts ?? 0,
      now,
      retry?.dueInMs ?? null,
      retry ? JSON.stringify(retry.error) : null
    ]
  )
  return rows.length > 0
}
