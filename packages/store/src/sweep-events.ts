import type { Db } from './db.ts'

export interface Swept {
  /** Ids that are due again. */
  resent: string[]
  /** Ids whose sends are used up. */
  parked: string[]
}

/**
 * Takes up events that were published and not confirmed by their deadline: due again, or PARKED when `count` has
 * reached `max_sends`. The predicates stand on the updated row itself, so that a confirmation or another sweeper that
 * came first wins.
 *
 * At most `maxResendsOutstanding` resends wait for the relay at any time; what exceeds that keeps its place for a later
 * sweep. One sweep of a schema runs at a time; one that meets another does nothing.
 */
export async function sweepEvents(
  db: Db,
  { limit, maxResendsOutstanding }: { limit: number; maxResendsOutstanding: number },
  now?: Date
): Promise<Swept> {
  const rows = await db.rows<{ id: string; again: boolean }>(sweepEventsSql(db.schema), [
    limit,
    maxResendsOutstanding,
    now ?? null
  ])
  return {
    resent: rows.filter(({ again }) => again).map(({ id }) => id),
    parked: rows.filter(({ again }) => !again).map(({ id }) => id)
  }
}

/** The statement of {@link sweepEvents}, apart for tests that look at its plan. */
export const sweepEventsSql = (s: string) =>
  `with clock as materialized (select coalesce($3::timestamptz, clock_timestamp()) as now),
   gate as materialized (select pg_try_advisory_xact_lock(hashtextextended('steadfast.sweep.${s}', 0)) as open),
   budget as materialized (
     select greatest(0, $2 - count(*)) as resends
     from (select from ${s}.event where due and count > 0 and not replay limit $2) outstanding
   ),
   late as materialized (
     select id, count < max_sends as again
     from ${s}.event
     where (select open from gate) and status = 'PUBLISHED' and not due and deadline <= (select now from clock)
     order by deadline
     limit $1
     for update skip locked
   ),
   chosen as (
     select id, again from late where not again
     union all
     (select id, again from late where again limit (select resends from budget))
   )
   update ${s}.event e set
     due = c.again,
     status = case when c.again then e.status else 'PARKED' end,
     park_reason = case when c.again then e.park_reason else 'UNCONFIRMED' end,
     last_error = case when c.again then e.last_error else format('sent %s times, and not confirmed by %s', e.count, e.awaits_from) end,
     updated_at = clock.now
   from chosen c, clock
   where e.id = c.id and e.status = 'PUBLISHED' and not e.due and e.deadline <= clock.now and c.again = (e.count < e.max_sends)
   returning e.id::text, c.again`
