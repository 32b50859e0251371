import type { SendableEvent } from '@steadfast/events'
import type { Db } from '../../db.ts'
import { AGAIN, FRESH, topicsOf } from './due-heads.ts'

/** An event that is to be sent, as the relay reads it. */
export interface DueEvent extends SendableEvent {
  status: 'NEW' | 'PUBLISHED' | 'CONFIRMED' | 'PARKED' | 'RESOLVED'
  awaitsFrom: string | null
}

/** A key of a topic. */
export interface TopicKey {
  topic: string
  key: string
}

export interface DueQuery {
  /** The lanes this relay takes. */
  lanes: readonly number[]
  /** `seq` of events that are being sent or marked already. */
  excludeSeqs?: readonly string[]
  /** Keys that are backed off. */
  excludeKeys?: readonly TopicKey[]
  /** Topics that are backed off. Nothing that waits for them is looked at. */
  excludeTopics?: readonly string[]
  /** Only these topics. Default: all. */
  onlyTopics?: readonly string[]
  /** At most so many fresh events: what is due, but for stored answers that go out again. */
  limit: number
  /** Where fewer are due than `limit`: at most so many stored answers that go out again. Default 0. */
  replays?: number
  /** `true`: every topic with something due gets an equal share of `limit`; to look whether they can be written. */
  spread?: boolean
  /** Payload bytes of the whole batch; the first event comes whatever its size. */
  maxBytes: number
}

/** What is to be sent next. */
export interface DueBatch {
  events: DueEvent[]
  /** Whether more may be due than is here. */
  more: boolean
}

type Row = Omit<DueEvent, 'headers' | 'createdAt'> & { headers: string; createdAt: number; topics: number }

/**
 * Reads what is due: of each topic by `seq` and skipping nothing, neither by a cursor (a lower `seq` may commit later)
 * nor by locks (they would split one key over two relays). In-flight events are excluded by their number for the same
 * reason. Hops from topic to topic in the index, so that what waits for a topic that is left out costs nothing.
 */
export async function fetchDue(db: Db, query: DueQuery): Promise<DueBatch> {
  const rows = await db.rows<Row>(fetchDueSql(db.schema), fetchDueValues(query))
  const events = rows.map(({ topics: _, ...row }) => ({
    ...row,
    headers: row.headers === '{}' ? {} : (JSON.parse(row.headers) as Record<string, string>),
    createdAt: new Date(row.createdAt)
  }))
  return { events, more: mayBeMore(rows, query) }
}

// Of each topic at most so many times its equal share is read: enough for a batch when only some have a backlog.
const SHARES = 4

/** The topics of a part, the first events of each by `seq`, and the first `limit` of them all. */
const headsOf = (s: string, name: string, part: string, limit: string) =>
  `${topicsOf(s, `${name}_hop`, part)},
   ${name}_topic as materialized (
     select topic, (count(*) over ())::integer as topics from ${name}_hop
     where topic <> all($4::text[]) and ($5::text[] is null or topic = any($5::text[]))
   ),
   ${name} as materialized (
     select h.*, t.topics
     from ${name}_topic t cross join lateral (
       select * from ${s}.event e
       where ${part} and e.topic = t.topic and e.lane = any($1::smallint[]) and e.seq <> all($2::bigint[])
         and (e.topic, e.key) not in (select * from unnest($3::text[], $9::text[]))
       order by e.seq
       limit least(${limit}, ceil(${limit} * $8::float8 / t.topics))
     ) h
     order by h.seq
     limit ${limit}
   )`

/** The statement of {@link fetchDue}, apart for tests that look at its plan. */
export const fetchDueSql = (s: string) =>
  `with recursive ${headsOf(s, 'fresh', FRESH, '$6::integer')},
   ${headsOf(s, 'again', AGAIN, '$7::integer')},
   batch as (
     select *, sum(octet_length(payload::text)) over (order by replay, seq rows unbounded preceding) as bytes
     from (
       select * from fresh
       union all
       select * from again where (select count(*) from fresh) < $6::integer
     ) head
   )
   select id::text, seq::text, source, type, topic, key, dataversion as "dataVersion", payload::text, headers::text,
     reply_to as "replyTo", causation_id::text as "causationId", correlation_id as "correlationId",
     supersedes::text,
     (extract(epoch from created_at) * 1000)::float8 as "createdAt", count, replay, status, awaits_from as "awaitsFrom", topics
   from batch
   where bytes <= $10 or bytes = octet_length(payload::text)
   order by batch.replay, batch.seq`

/** Its parameters. Arrays of numbers are made here: pg's own conversion escapes each element. */
export const fetchDueValues = (query: DueQuery) => {
  const { lanes, excludeSeqs = [], excludeKeys = [], excludeTopics = [], onlyTopics = null, limit, replays = 0 } = query
  return [
    `{${lanes.join()}}`,
    `{${excludeSeqs.join()}}`,
    excludeKeys.map(({ topic }) => topic),
    excludeTopics,
    onlyTopics,
    limit,
    replays,
    query.spread ? 1 : SHARES,
    excludeKeys.map(({ key }) => key),
    query.maxBytes
  ]
}

function mayBeMore(rows: readonly Row[], { limit, replays = 0, spread, maxBytes }: DueQuery): boolean {
  const parts = [
    { rows: rows.filter(({ replay }) => !replay), most: limit },
    { rows: rows.filter(({ replay }) => replay), most: replays }
  ]
  const isFull = ({ rows, most }: { rows: Row[]; most: number }) => {
    if (rows.length === 0) return false
    if (rows.length >= most) return true
    const share = Math.ceil((most * (spread ? 1 : SHARES)) / (rows[0]?.topics ?? 1))
    const ofTopic = new Map<string, number>()
    for (const { topic } of rows) ofTopic.set(topic, (ofTopic.get(topic) ?? 0) + 1)
    return Math.max(...ofTopic.values()) >= share
  }
  // A character has at most three bytes in UTF-8 (as UTF-16 counts them), so this errs towards looking again.
  const bytes = rows.reduce((sum, { payload }) => sum + payload.length, 0) * 3
  return parts.some(isFull) || bytes > maxBytes / 2
}
