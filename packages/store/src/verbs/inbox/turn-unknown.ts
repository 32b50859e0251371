import type { Db } from '../../db.ts'
import type { DeliveryError } from './get-delivery.ts'

/**
 * Turns a delivery whose turn it is, and that this process does not know, into one that waits for a process that does, for
 * `patienceMs`: one that is blocked no longer, or whose retry has been due for as long and that nobody ran.
 *
 * @returns false when it is neither, or in another process's hands
 */
export async function turnUnknown(
  db: Db,
  left: { consumer: string; eventId: string; patienceMs: number; error: DeliveryError },
  now?: Date
): Promise<boolean> {
  const s = db.schema
  const rows = await db.rows(
    `with clock as materialized (select coalesce($5::timestamptz, clock_timestamp()) as now, $3::float8 * interval '1 ms' as patience),
     free as (
       select i.consumer, i.event_id from ${s}.inbox i, clock
       where i.consumer = $1 and i.event_id = $2
         and (i.state = 'BLOCKED' or i.state = 'RETRY' and i.due_at <= clock.now - clock.patience)
       for update of i skip locked)
     update ${s}.inbox i
     set state = 'UNKNOWN', due_at = clock.now + clock.patience, error = coalesce(i.error, $4::json), updated_at = clock_timestamp()
     from free, clock
     where i.consumer = free.consumer and i.event_id = free.event_id and i.state in ('BLOCKED', 'RETRY')
     returning i.event_id`,
    [left.consumer, left.eventId, left.patienceMs, JSON.stringify(left.error), now]
  )
  return rows.length > 0
}
