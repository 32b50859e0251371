import type { Db } from './db.ts'

/**
 * Takes a delivery that was set aside, in the transaction of its handler: the row says DONE and becomes true when the
 * handler commits. Others who try meanwhile are answered at once.
 *
 * @returns false when it is not due, not the first of its key, finished, or in another process's hands
 */
export async function claimRetry(
  db: Db,
  { consumer, eventId, lockTimeoutMs }: { consumer: string; eventId: string; lockTimeoutMs: number },
  now?: Date
): Promise<boolean> {
  const s = db.schema
  const rows = await db.rows(
    `with setting as (select set_config('lock_timeout', $3, true)),
     free as (
       select i.consumer, i.event_id from ${s}.inbox i
       where i.consumer = $1 and i.event_id = $2 and (select true from setting)
         and (i.state = 'BLOCKED' or i.state = 'RETRY' and i.due_at <= coalesce($4::timestamptz, clock_timestamp()))
         and not exists (select from ${s}.inbox u where u.consumer = i.consumer and u.key = i.key
           and u.state in ('RETRY', 'BLOCKED', 'HELD') and u.arrival < i.arrival)
       for update of i skip locked)
     update ${s}.inbox i set state = 'DONE', outcome = 200, body = null, error = null, due_at = null, updated_at = clock_timestamp()
     from free
     where i.consumer = free.consumer and i.event_id = free.event_id and i.state in ('RETRY', 'BLOCKED')
     returning i.event_id`,
    [consumer, eventId, String(lockTimeoutMs), now]
  )
  return rows.length > 0
}
