import type { Db } from '../../db.ts'

export interface Swept {
  /** Ids that are due again. */
  resent: string[]
  /** Ids that are given up to a person. */
  parked: string[]
}

export interface Sweep {
  /** At most so many events are made due, so many parked as used up, and so many as not sent. */
  limit: number
  /** Resends of one topic that may wait for the relay at a time. */
  maxResendsOutstanding: number
}

/**
 * Takes up events that were published and not confirmed by their deadline: due again, or PARKED when `count` has
 * reached `max_sends`. PARKED is also what is due again and was not sent for as long as its sender gives a request in
 * all. The predicates stand on the updated row itself, so that a confirmation or another sweeper that came first wins.
 *
 * At most `maxResendsOutstanding` resends of a topic wait for the relay at any time, so that a topic which takes nothing
 * keeps only its own waiting; what exceeds that keeps its place for a later sweep. Parking needs no budget.
 *
 * One sweep of a schema runs at a time; one that meets another does nothing. Run it in a transaction of its own, READ
 * COMMITTED: that lock lasts until its end, and what others made due before is seen only by a statement that begins
 * when it is held.
 */
export async function sweepEvents(db: Db, { limit, maxResendsOutstanding }: Sweep, now?: Date): Promise<Swept> {
  const [gate] = await db.rows<{ open: boolean }>(
    'select pg_try_advisory_xact_lock(hashtextextended($1::text, 0)) as open',
    [`steadfast.sweep.${db.schema}`]
  )
  if (!gate?.open) return { resent: [], parked: [] }
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

const LATE = `e.status = 'PUBLISHED' and not e.due and e.deadline <= (select now from clock)`
// CONFIRMED ones may still be due; they are sent, but nobody waits for them, and they do not come back.
const OUTSTANDING = `e.due and e.count > 0 and not e.replay and e.status in ('PUBLISHED', 'PARKED')`
// While it is due, `updated_at` is when it became so.
const UNSENT = `e.due and e.count > 0 and not e.replay and e.status = 'PUBLISHED' and e.give_up_at <= (select now from clock)
     and e.updated_at + (e.give_up_at - e.created_at) <= (select now from clock)`
const CAN_BE_SENT_AGAIN = `e.status = 'PUBLISHED' and not e.due and e.deadline is not null and e.count < e.max_sends`

/**
 * The statement of {@link sweepEvents}, apart for tests that look at its plan. It hops from topic to topic in the index,
 * and takes the longest overdue of each, first one of each topic, then a second one, and so on.
 */
export const sweepEventsSql = (s: string) =>
  `with recursive clock as materialized (select coalesce($3::timestamptz, clock_timestamp()) as now),
   hop as (
     (select e.topic from ${s}.event e where ${CAN_BE_SENT_AGAIN} order by e.topic limit 1)
     union all
     select (select e.topic from ${s}.event e where ${CAN_BE_SENT_AGAIN} and e.topic > hop.topic order by e.topic limit 1)
     from hop where hop.topic is not null
   ),
   budget as materialized (
     select hop.topic, greatest(0, $2 - (
       select count(*) from (select from ${s}.event e where e.topic = hop.topic and ${OUTSTANDING} limit $2) outstanding
     )) as resends
     from hop where hop.topic is not null
   ),
   again as materialized (
     select id from (
       select late.id, late.deadline, row_number() over (partition by budget.topic order by late.deadline) as place
       from budget cross join lateral (
         select e.id, e.deadline from ${s}.event e
         where e.topic = budget.topic and ${LATE} and e.count < e.max_sends
         order by e.deadline
         limit budget.resends
         for update skip locked
       ) late
     ) of_topics
     order by place, deadline
     limit $1
   ),
   used_up as materialized (
     select e.id from ${s}.event e
     where ${LATE} and e.count >= e.max_sends
     order by e.deadline
     limit $1
     for update skip locked
   ),
   unsent as materialized (
     select e.id from ${s}.event e
     where ${UNSENT}
     order by e.give_up_at
     limit $1
     for update skip locked
   ),
   chosen as (
     select id, 'again' as verdict from again
     union all
     select id, 'used up' from used_up
     union all
     select id, 'unsent' from unsent
   )
   update ${s}.event e set
     due = c.verdict = 'again',
     status = case when c.verdict = 'again' then e.status else 'PARKED' end,
     park_reason = case when c.verdict = 'again' then e.park_reason else 'UNCONFIRMED' end,
     last_error = case c.verdict
       when 'again' then e.last_error
       when 'used up' then format('sent %s times, and not confirmed by %s', e.count, e.awaits_from)
       else format('sent %s times, and not confirmed by %s; due again since %s, and could not be sent%s', e.count, e.awaits_from,
         to_char(e.updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), ': ' || e.last_error)
     end,
     failing_since = null,
     topic_unavailable_since = null,
     updated_at = clock.now
   from chosen c, clock
   where e.id = c.id and case c.verdict
     when 'unsent' then ${UNSENT}
     else ${LATE} and (c.verdict = 'again') = (e.count < e.max_sends)
   end
   returning e.id::text, c.verdict = 'again' as again`
