import type { Db } from '../../db.ts'

/**
 * Gives an event whose consumer is at work its current span of time anew, uncounted. Never past `give_up_at`, so that
 * a wedged worker reaches a person.
 *
 * `due` stays as it is: a resend that a relay has read already must still count.
 *
 * @returns false when there is nothing to extend, or the signal is not from whom the event awaits its answer
 */
export async function extendDeadline(db: Db, { id, from }: { id: string; from: string }, now?: Date): Promise<boolean> {
  const rows = await db.rows(
    `update ${db.schema}.event e
     set deadline = least(e.give_up_at, greatest(e.deadline, t.now
           + least(e.confirm_within_ms * exp(least(greatest(e.count - 1, 0) * ln(greatest(e.resend_backoff, 1)), 40)), 2147483648) * interval '1 ms')),
       updated_at = clock_timestamp()
     from (select coalesce($3::timestamptz, clock_timestamp()) as now) t
     where e.id = $1 and e.awaits_from = $2 and e.status = 'PUBLISHED' and t.now < e.give_up_at
     returning e.id`,
    [id, from, now]
  )
  return rows.length > 0
}
