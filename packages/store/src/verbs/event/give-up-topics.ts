import type { Db } from '../../db.ts'
import { AGAIN, FRESH } from './due-heads.ts'

/** A topic of which the broker has just said that it is missing or may not be written. */
export interface UnavailableTopic {
  topic: string
  /** The broker's words. */
  error: string
  /** Since when, as an earlier {@link giveUpTopics} answered: the rows that said so may be given up by now. */
  since?: Date | undefined
}

export interface GivingUp {
  topics: readonly UnavailableTopic[]
  /** An event whose topic has been so for this long is PARKED, in ms. */
  patienceMs: number
  /** A signal of Steadfast whose topic has been so for this long is dropped, in ms. */
  signalPatienceMs: number
  /** At most so many of each topic. */
  limit: number
}

/** What became of what waited for a topic. */
export interface GivenUp {
  topic: string
  /** Since when the topic is known to be unavailable; `null`: no row says so. */
  since: Date | null
  /** Ids of events that wait for a person now. */
  parked: string[]
  /** Ids of signals that are due no longer. */
  dropped: string[]
  /** There may be more: as many as `limit` were given up. */
  more: boolean
}

/**
 * Gives up what has waited too long for a topic that cannot be written: each event counts from when it became due, tried
 * or not, and never from before the broker's first such answer about the topic. So an outage of the whole broker counts
 * for nothing, however long.
 *
 * Signals are hints: a duplicate of the request makes them again. They are RESOLVED; all else is PARKED for a person,
 * or, if it was past that already, only stops being due.
 */
export async function giveUpTopics(
  db: Db,
  { topics, patienceMs, signalPatienceMs, limit }: GivingUp,
  now?: Date
): Promise<GivenUp[]> {
  if (topics.length === 0) return []
  const rows = await db.rows<Omit<GivenUp, 'since'> & { since: number | null }>(giveUpTopicsSql(db.schema), [
    topics.map(({ topic }) => topic),
    topics.map(({ error }) => error.replaceAll('\u0000', '')),
    topics.map(({ since }) => since ?? null),
    patienceMs,
    signalPatienceMs,
    limit,
    now ?? null
  ])
  return rows.map(row => ({ ...row, since: row.since === null ? null : new Date(row.since) }))
}

// The predicate stands on the updated row itself, so that a mark, a parking or a resend that came first wins.
const waitedTooLong = (since: string) =>
  `greatest(e.updated_at, ${since}) <= clock.now - interval '1 ms' *
     case when e.type like 'steadfast.%' then $5::float8 else $4::float8 end`

/** The statement of {@link giveUpTopics}, apart for tests that look at its plan. */
export const giveUpTopicsSql = (s: string) => {
  const lateOf = (part: string) =>
    `select * from (
       select e.id from ${s}.event e
       where ${part} and e.topic = u.topic and ${waitedTooLong('u.since')}
       order by e.seq limit $6 for update of e skip locked) first_ones`
  return `with clock as materialized (select coalesce($7::timestamptz, clock_timestamp()) as now),
   unavailable as materialized (
     select t.topic, t.error, least(t.since, (
       select min(e.topic_unavailable_since) from ${s}.event e
       where e.topic = t.topic and e.failing_since is not null and e.due)) as since
     from unnest($1::text[], $2::text[], $3::timestamptz[]) as t(topic, error, since)
   ),
   late as (
     select l.id, u.error, u.since from clock, unavailable u cross join lateral (
       ${lateOf(FRESH)}
       union all
       ${lateOf(AGAIN)}
     ) l
     where u.since <= clock.now - interval '1 ms' * least($4::float8, $5::float8)
   ),
   given as (
     update ${s}.event e set
       due = false,
       replay = false,
       status = case when e.status not in ('NEW', 'PUBLISHED') then e.status
         when e.type not like 'steadfast.%' then 'PARKED' when e.status = 'NEW' then 'RESOLVED' else e.status end,
       park_reason = case when e.status in ('NEW', 'PUBLISHED') and e.type not like 'steadfast.%' then 'TOPIC_UNAVAILABLE' else e.park_reason end,
       last_error = l.error,
       failing_since = null,
       topic_unavailable_since = null,
       updated_at = clock.now
     from late l, clock
     where e.id = l.id and e.due and ${waitedTooLong('l.since')}
     returning e.id::text, e.topic, e.type like 'steadfast.%' as dropped, e.status = 'PARKED' as parked
   )
   select u.topic, floor(extract(epoch from u.since) * 1000)::float8 as since,
     coalesce(json_agg(g.id) filter (where g.parked), '[]') as parked,
     coalesce(json_agg(g.id) filter (where g.dropped), '[]') as dropped,
     count(g.id) >= $6 as more
   from unavailable u left join given g on g.topic = u.topic
   group by u.topic, u.since`
}
