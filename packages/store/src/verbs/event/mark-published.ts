import type { Db } from '../../db.ts'

/** What became of the marks that were asked for; an event that is in neither list was overtaken. */
export interface MarkResult {
  marked: string[]
  /** Rows that another transaction has locked: to be marked later. */
  locked: string[]
}

/**
 * Records that the broker acknowledged these events, `count` being the one that was read before the send. The guard is
 * on the row itself, so that a relay which was paused in between marks nothing twice. It waits for no row: one that
 * somebody holds would keep all others from being marked.
 *
 * An awaiting event that is PUBLISHED afterwards gets its deadline: `confirm_within_ms × resend_backoff ^ count`, give
 * or take a tenth, so that what was sent together is not resent together.
 */
export async function markPublished(
  db: Db,
  sent: readonly { id: string; count: number }[],
  now?: Date
): Promise<MarkResult> {
  if (sent.length === 0) return { marked: [], locked: [] }
  const rows = await db.rows<{ id: string; marked: boolean }>(markPublishedSql(db.schema), [
    `{${sent.map(({ id }) => id).join()}}`,
    `{${sent.map(({ count }) => count).join()}}`,
    now ?? null
  ])
  return {
    marked: rows.filter(({ marked }) => marked).map(({ id }) => id),
    locked: rows.filter(({ marked }) => !marked).map(({ id }) => id)
  }
}

// exp(ln) with a bounded exponent, because power() raises an error when it overflows. The arrays come by way of a
// subselect so that the planner does not know their length: it would read all that is due to mark a thousand of them.
// What is locked is what the statement's snapshot shows as it was read, and the lock was not to be had.
export const markPublishedSql = (s: string) =>
  `with clock as materialized (select coalesce($3::timestamptz, clock_timestamp()) as now),
   sent as materialized (select id, count from unnest((select $1::uuid[]), (select $2::integer[])) as sent(id, count)),
   free as materialized (
     select e.id, e.count from sent join ${s}.event e on e.id = sent.id
     where e.due and e.count = sent.count
     for update of e skip locked
   ),
   marked as (
     update ${s}.event e set
       due = false,
       replay = false,
       count = e.count + 1,
       failing_since = null,
       topic_unavailable_since = null,
       status = case when e.status = 'NEW' then 'PUBLISHED' when e.status = 'PARKED' and e.awaits_from is null then 'RESOLVED' else e.status end,
       published_at = coalesce(e.published_at, clock.now),
       last_sent_at = clock.now,
       updated_at = clock.now,
       deadline = case when e.awaits_from is not null and e.status in ('NEW', 'PUBLISHED')
         then clock.now + least(e.confirm_within_ms * exp(least(e.count * ln(greatest(coalesce(e.resend_backoff, 2), 1)), 40))
           * (0.9 + 0.2 * random()), 2147483647) * interval '1 ms'
         else e.deadline end
     from clock, free
     where e.id = free.id and e.due and e.count = free.count
     returning e.id
   )
   select id::text, true as marked from marked
   union all
   select e.id::text, false from sent join ${s}.event e on e.id = sent.id
   where e.due and e.count = sent.count and not exists (select from free where free.id = e.id)`
