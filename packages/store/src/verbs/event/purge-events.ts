import type { Db } from '../../db.ts'

/** What a batch of a purge did. */
export interface Purged<Cursor = string> {
  purged: number
  /** Where the next batch goes on; `null` at the end. */
  next: Cursor | null
}

/**
 * Removes finished events of an age: CONFIRMED, RESOLVED, or PUBLISHED and awaiting nothing. Never one that is due,
 * waits for an answer or for a person. Answers may have an age of their own: a duplicate request needs them.
 *
 * A batch looks at `limit` rows of the primary key, in order of their age (ids are UUID v7), behind `after`, so that its
 * cost does not depend on how many of them must stay.
 */
export async function purgeEvents(
  db: Db,
  query: { olderThanMs: number; answersOlderThanMs?: number; limit: number; after?: string | null },
  now?: Date
): Promise<Purged> {
  const { olderThanMs, answersOlderThanMs = olderThanMs, limit, after = null } = query
  const s = db.schema
  const [row] = await db.rows<Purged>(
    `with clock as materialized (
       select now - $1 * interval '1 ms' as events, now - $2 * interval '1 ms' as answers
       from (select coalesce($5::timestamptz, clock_timestamp()) as now) c
     ),
     seen as materialized (
       select id from ${s}.event
       where id > coalesce($4::uuid, '00000000-0000-0000-0000-000000000000')
         and id < (select (lpad(to_hex(floor(extract(epoch from greatest(events, answers)) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid from clock)
       order by id
       limit $3
     ),
     finished as materialized (
       select e.id from ${s}.event e, clock
       where e.id in (select id from seen) and not e.due
         and (e.status in ('CONFIRMED', 'RESOLVED') or e.status = 'PUBLISHED' and e.awaits_from is null)
         and e.updated_at < case when e.is_answer then clock.answers else clock.events end
       for update of e skip locked
     ),
     gone as (
       delete from ${s}.event e using finished f, clock
       where e.id = f.id and not e.due
         and (e.status in ('CONFIRMED', 'RESOLVED') or e.status = 'PUBLISHED' and e.awaits_from is null)
         and e.updated_at < case when e.is_answer then clock.answers else clock.events end
       returning e.id
     )
     select (select count(*)::integer from gone) as purged,
       case when count(*) = $3 then (array_agg(id order by id desc))[1]::text end as next
     from seen`,
    [olderThanMs, answersOlderThanMs, limit, after, now ?? null]
  )
  return row ?? { purged: 0, next: null }
}
