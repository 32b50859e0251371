import type { Db } from '../../db.ts'
import { UNFINISHED, WAITING } from './get-delivery.ts'
import { settingsFrom, settingValues } from './receive-delivery.ts'

/**
 * Takes a delivery that was set aside or left for a process that knows it, in the transaction of its handler: the row says DONE and becomes true when the
 * handler commits. Others who try meanwhile are answered at once.
 *
 * @returns false when it is not due, not the first of its topic and key, finished, or in another process's hands
 */
export async function claimRetry(
  db: Db,
  {
    consumer,
    eventId,
    lockTimeoutMs,
    timeoutMs
  }: { consumer: string; eventId: string; lockTimeoutMs: number; timeoutMs?: number },
  now?: Date
): Promise<boolean> {
  const s = db.schema
  const rows = await db.rows(
    `with setting as materialized (select * from ${settingsFrom(3)} as s),
     free as (
       select i.consumer, i.event_id from ${s}.inbox i
       where i.consumer = $1 and i.event_id = $2 and (select lock_timeout is not null from setting)
         and (i.state in ('BLOCKED', 'UNKNOWN') or i.state = 'RETRY' and i.due_at <= coalesce($6::timestamptz, clock_timestamp()))
         and not exists (select from ${s}.inbox u where u.consumer = i.consumer and u.topic = i.topic
           and u.key = i.key and u.state in ${UNFINISHED} and u.arrival < i.arrival)
       for update of i skip locked)
     update ${s}.inbox i set state = 'DONE', outcome = 200, body = null, error = null, due_at = null, updated_at = clock_timestamp()
     from free
     where i.consumer = free.consumer and i.event_id = free.event_id and i.state in ${WAITING}
     returning i.event_id`,
    [consumer, eventId, ...settingValues(lockTimeoutMs, timeoutMs), now]
  )
  return rows.length > 0
}
