import type { EventEnvelope } from '@steadfast/events'
import type { Db } from '../../db.ts'

/** What became of a delivery, or what is still to become of it. */
export type DeliveryState = 'DONE' | 'RETRY' | 'BLOCKED' | 'UNKNOWN' | 'HELD' | 'REFUSED'

/** A delivery before it is a row of the inbox: what the consumer knows of it when it arrives. */
export interface NewDelivery {
  consumer: string
  eventId: string
  /** What is kept in order: a delivery waits behind unfinished ones of the same consumer, topic and key. */
  key: string
  topic: string
  position: string
  source: string
  type: string
  replyTo: string | null
  causationId: string | null
  correlationId: string | null
  envelope: EventEnvelope
  /** When the log took the message, as far as the log can be believed. */
  loggedAt?: Date | undefined
}

/** Why a delivery failed: kept in its row, shown to people, sent to the asker when it is a verdict. */
export interface DeliveryError {
  message: string
  code?: string
  status?: number
  stack?: string
}

/** A row of the inbox. */
export interface StoredDelivery extends NewDelivery {
  /** Order of arrival, as decimal digits. */
  arrival: string
  state: DeliveryState
  /** The handler's status. */
  outcome: number
  /** Counted runs of the handler that failed. */
  attempts: number
  dueAt: Date | null
  /** The event's data as they came; null once the delivery is done, or erased. */
  body: Buffer | null
  error: DeliveryError | null
  replayId: string | null
  receivedAt: Date
  updatedAt: Date
  /** When its body and headers were erased; see `erase`. */
  erasedAt: Date | null
  /** Of the body that was erased: its SHA-256, in hexadecimal. */
  erasedHash: string | null
}

/** The states of a delivery behind which later ones of its consumer, topic and key wait: a list of SQL. */
export const UNFINISHED = "('RETRY', 'BLOCKED', 'UNKNOWN', 'HELD')"

/** Those of them that wait for the machine, not for a person: a list of SQL. */
export const WAITING = "('RETRY', 'BLOCKED', 'UNKNOWN')"

const msOf = (column: string) => `(extract(epoch from ${column}) * 1000)::float8`

/** The columns of {@link StoredDelivery}, for {@link deliveryOf}, of the inbox under the alias `i`. */
export const DELIVERY_COLUMNS = `i.consumer, i.event_id as "eventId", i.arrival, i.state, i.key, i.topic, i.position, i.source, i.type,
  i.reply_to as "replyTo", i.causation_id as "causationId", i.correlation_id as "correlationId", i.envelope::text, i.outcome, i.attempts,
  ${msOf('i.due_at')} as "dueAt", i.body, i.error::text, i.replay_id as "replayId", ${msOf('i.received_at')} as "receivedAt",
  ${msOf('i.updated_at')} as "updatedAt", ${msOf('i.erased_at')} as "erasedAt", i.erased_hash as "erasedHash"`

/** A row of {@link DELIVERY_COLUMNS}: times in ms and JSON as text, whatever the host has told its driver of their types. */
export type DeliveryColumns = Omit<
  StoredDelivery,
  'envelope' | 'error' | 'dueAt' | 'receivedAt' | 'updatedAt' | 'erasedAt'
> & {
  envelope: string
  error: string | null
  dueAt: number | null
  receivedAt: number
  updatedAt: number
  erasedAt: number | null
}

/** Makes the delivery of a row of {@link DELIVERY_COLUMNS}. */
export function deliveryOf(row: DeliveryColumns): StoredDelivery {
  return {
    ...row,
    envelope: JSON.parse(row.envelope) as EventEnvelope,
    error: row.error === null ? null : (JSON.parse(row.error) as DeliveryError),
    dueAt: row.dueAt === null ? null : new Date(row.dueAt),
    receivedAt: new Date(row.receivedAt),
    updatedAt: new Date(row.updatedAt),
    erasedAt: row.erasedAt === null ? null : new Date(row.erasedAt)
  }
}

/** SQL: a delivery `i` whose row has something that its sender wrote. */
export const holdsData = (i: string): string =>
  `(${i}.body is not null or coalesce(${i}.envelope->>'headers', '{}') <> '{}')`

/** SQL: the id under which the sender of a delivery knows its event, and what was sent because of it names as its cause. */
export const sentId = (i: string): string => `coalesce(${i}.envelope->>'id', ${i}.event_id::text)::uuid`

/** Reads one row of the inbox. */
export async function getDelivery(db: Db, consumer: string, eventId: string): Promise<StoredDelivery | undefined> {
  const rows = await db.rows<DeliveryColumns>(
    `select ${DELIVERY_COLUMNS} from ${db.schema}.inbox i where i.consumer = $1 and i.event_id = $2`,
    [consumer, eventId]
  )
  return rows[0] && deliveryOf(rows[0])
}
