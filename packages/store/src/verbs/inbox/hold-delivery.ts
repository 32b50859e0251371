import type { Db } from '../../db.ts'
import { type DeliveryError, WAITING } from './get-delivery.ts'

/**
 * Gives a delivery up to a person. Later ones of its topic and key wait behind it. `attempts`: default as many as before.
 *
 * @returns false when it is no longer waiting
 */
export async function holdDelivery(
  db: Db,
  held: {
    consumer: string
    eventId: string
    attempts?: number | undefined
    outcome: number
    error: DeliveryError
  }
): Promise<boolean> {
  const rows = await db.rows(
    `update ${db.schema}.inbox
     set state = 'HELD', attempts = coalesce($3::int, attempts), outcome = $4, error = $5, due_at = null, updated_at = clock_timestamp()
     where consumer = $1 and event_id = $2 and state in ${WAITING}
     returning event_id`,
    [held.consumer, held.eventId, held.attempts, held.outcome, JSON.stringify(held.error)]
  )
  return rows.length > 0
}
