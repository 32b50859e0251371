import type { SendableEvent } from '@steadfast/events'
import type { Db } from './db.ts'

/** An event that is to be sent, as the relay reads it. */
export interface DueEvent extends SendableEvent {
  status: 'NEW' | 'PUBLISHED' | 'CONFIRMED' | 'PARKED' | 'RESOLVED'
  awaitsFrom: string | null
}

export interface DueQuery {
  /** The lanes this relay takes. */
  lanes: readonly number[]
  /** `seq` of events that are being sent or marked already. */
  excludeSeqs?: readonly string[]
  /** Keys that are backed off. */
  excludeKeys?: readonly string[]
  limit: number
  /** Payload bytes of the whole batch; the first event comes whatever its size. */
  maxBytes: number
}

type Row = Omit<DueEvent, 'headers' | 'createdAt'> & { headers: string; createdAt: number }

/**
 * Reads what is due, by `seq` and skipping nothing: neither by a cursor (a lower `seq` may commit later) nor by locks
 * (they would split one key over two relays). In-flight events are excluded by their number for the same reason.
 */
export async function fetchDue(db: Db, query: DueQuery): Promise<DueEvent[]> {
  const rows = await db.rows<Row>(fetchDueSql(db.schema), fetchDueValues(query))
  return rows.map(row => ({
    ...row,
    headers: row.headers === '{}' ? {} : (JSON.parse(row.headers) as Record<string, string>),
    createdAt: new Date(row.createdAt)
  }))
}

/** The statement of {@link fetchDue}, apart for tests that look at its plan. */
export const fetchDueSql = (s: string) =>
  `select id, seq, source, type, topic, key, "dataVersion", payload, headers, "replyTo", "causationId", "correlationId",
     supersedes, "createdAt", count, replay, status, "awaitsFrom"
   from (
     select *, sum(octet_length(payload)) over (order by number rows unbounded preceding) as bytes
     from (
       select seq as number, id::text, seq::text, source, type, topic, key, dataversion as "dataVersion", payload::text, headers::text,
         reply_to as "replyTo", causation_id::text as "causationId", correlation_id as "correlationId",
         supersedes::text,
         (extract(epoch from created_at) * 1000)::float8 as "createdAt", count, replay, status, awaits_from as "awaitsFrom"
       from ${s}.event
       where due and lane = any($1::smallint[]) and seq <> all($2::bigint[]) and key <> all($3::text[])
       order by event.seq
       limit $4
     ) head
   ) batch
   where bytes <= $5 or bytes = octet_length(payload)
   order by number`

/** Its parameters. Arrays of numbers are made here: pg's own conversion escapes each element. */
export const fetchDueValues = ({ lanes, excludeSeqs = [], excludeKeys = [], limit, maxBytes }: DueQuery) => [
  `{${lanes.join()}}`,
  `{${excludeSeqs.join()}}`,
  excludeKeys,
  limit,
  maxBytes
]
