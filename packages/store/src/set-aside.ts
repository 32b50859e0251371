import type { Db } from './db.ts'
import type { DeliveryError, NewDelivery } from './get-delivery.ts'
import { deliveryValues, NEW_DELIVERY_COLUMNS } from './receive-delivery.ts'

/** How a delivery is set aside: to be retried in `dueInMs`, or blocked behind others of its topic and key. */
export type SetAside = { body: Buffer } & (
  | { state: 'RETRY'; dueInMs: number; attempts: number; error: DeliveryError }
  | { state: 'BLOCKED' }
)

/**
 * Stores a delivery with its body, so that its offset may advance while it waits.
 *
 * @returns false when the event is known already: nothing was changed
 */
export async function setAside(db: Db, delivery: NewDelivery, aside: SetAside, now?: Date): Promise<boolean> {
  const retry = aside.state === 'RETRY' ? aside : undefined
  const rows = await db.rows(
    `insert into ${db.schema}.inbox (${NEW_DELIVERY_COLUMNS}, state, body, attempts, due_at, error)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
       coalesce($16::timestamptz, clock_timestamp()) + $17::float8 * interval '1 ms', $18)
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
