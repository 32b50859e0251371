import type { Db } from './db.ts'

/**
 * Records that the broker acknowledged these events, `count` being the one that was read before the send. The guard is
 * on the row itself, so that a relay which was paused in between marks nothing twice.
 *
 * An awaiting event that is PUBLISHED afterwards gets its deadline: `confirm_within_ms × resend_backoff ^ count`, give
 * or take a tenth, so that what was sent together is not resent together.
 *
 * @returns the ids that were marked
 */
export async function markPublished(
  db: Db,
  sent: readonly { id: string; count: number }[],
  now?: Date
): Promise<string[]> {
  if (sent.length === 0) return []
  const rows = await db.rows<{ id: string }>(markPublishedSql(db.schema), [
    `{${sent.map(({ id }) => id).join()}}`,
    `{${sent.map(({ count }) => count).join()}}`,
    now ?? null
  ])
  return rows.map(({ id }) => id)
}

// exp(ln) with a bounded exponent, because power() raises an error when it overflows. The arrays come by way of a
// subselect so that the planner does not know their length: it would read all that is due to mark a thousand of them.
export const markPublishedSql = (s: string) =>
  `with clock as materialized (select coalesce($3::timestamptz, clock_timestamp()) as now)
   update ${s}.event e set
     due = false,
     replay = false,
     count = e.count + 1,
     status = case when e.status = 'NEW' then 'PUBLISHED' when e.status = 'PARKED' and e.awaits_from is null then 'RESOLVED' else e.status end,
     published_at = coalesce(e.published_at, clock.now),
     last_sent_at = clock.now,
     updated_at = clock.now,
     deadline = case when e.awaits_from is not null and e.status in ('NEW', 'PUBLISHED')
       then clock.now + least(e.confirm_within_ms * exp(least(e.count * ln(greatest(coalesce(e.resend_backoff, 2), 1)), 40))
         * (0.9 + 0.2 * random()), 2147483647) * interval '1 ms'
       else e.deadline end
   from clock, unnest((select $1::uuid[]), (select $2::integer[])) as sent(id, count)
   where e.id = sent.id and e.due and e.count = sent.count
   returning e.id::text`
