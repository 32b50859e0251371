import type { Db } from '../../db.ts'
import { type DeliveryError, WAITING } from './get-delivery.ts'

/**
 * Makes a delivery that was set aside due again in `dueInMs`, with the count of attempts as given.
 *
 * @returns false when it is no longer waiting
 */
export async function retryLater(
  db: Db,
  later: { consumer: string; eventId: string; attempts: number; dueInMs: number; error: DeliveryError },
  now?: Date
): Promise<boolean> {
  const rows = await db.rows(
    `update ${db.schema}.inbox
     set state = 'RETRY', attempts = $3, error = $5, updated_at = clock_timestamp(),
       due_at = coalesce($6::timestamptz, clock_timestamp()) + $4::float8 * interval '1 ms'
     where consumer = $1 and event_id = $2 and state in ${WAITING}
     returning event_id`,
    [later.consumer, later.eventId, later.attempts, later.dueInMs, JSON.stringify(later.error), now]
  )
  return rows.length > 0
}
