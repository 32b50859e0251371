import type { Db } from '../../db.ts'
import type { Purged } from '../event/purge-events.ts'

/** Where a purge of the inbox stands: its primary key. */
export interface InboxCursor {
  consumer: string
  eventId: string
}

/**
 * Removes inbox rows of an age that are DONE or REFUSED. After that, a duplicate of such an event is a new event to the
 * consumer: the age must exceed the time for which the log keeps messages and operators replay them.
 *
 * A batch looks at `limit` rows of the primary key behind `after`.
 */
export async function purgeInbox(
  db: Db,
  { olderThanMs, limit, after = null }: { olderThanMs: number; limit: number; after?: InboxCursor | null },
  now?: Date
): Promise<Purged<InboxCursor>> {
  const s = db.schema
  const [row] = await db.rows<Purged<InboxCursor>>(
    `with clock as materialized (select coalesce($5::timestamptz, clock_timestamp()) - $1 * interval '1 ms' as cutoff),
     seen as materialized (
       select consumer, event_id from ${s}.inbox
       where (consumer, event_id) > (coalesce($3::text, ''), coalesce($4::uuid, '00000000-0000-0000-0000-000000000000'))
       order by consumer, event_id
       limit $2
     ),
     finished as materialized (
       select i.consumer, i.event_id from ${s}.inbox i, clock
       where (i.consumer, i.event_id) in (select consumer, event_id from seen)
         and i.state in ('DONE', 'REFUSED') and i.updated_at < clock.cutoff
       for update of i skip locked
     ),
     gone as (
       delete from ${s}.inbox i using finished f, clock
       where i.consumer = f.consumer and i.event_id = f.event_id
         and i.state in ('DONE', 'REFUSED') and i.updated_at < clock.cutoff
       returning i.event_id
     ),
     last as (select consumer, event_id from seen order by consumer desc, event_id desc limit 1)
     select (select count(*)::integer from gone) as purged,
       case when (select count(*) from seen) = $2
         then (select json_build_object('consumer', consumer, 'eventId', event_id) from last) end as next`,
    [olderThanMs, limit, after?.consumer ?? null, after?.eventId ?? null, now ?? null]
  )
  return row ?? { purged: 0, next: null }
}
