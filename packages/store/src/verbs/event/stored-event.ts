/** What is known of an event; it only moves forward, in this order. */
export type EventStatus = 'NEW' | 'PUBLISHED' | 'CONFIRMED' | 'PARKED' | 'RESOLVED'

/** A row of the event table without what its sender wrote. */
export interface EventSummary {
  /** UUID v7. */
  id: string
  /** Position in the outbox; a bigint as text. */
  seq: string
  lane: number
  source: string
  type: string
  topic: string
  key: string
  dataVersion: string | null
  status: EventStatus
  /** The relay shall send it. */
  due: boolean
  /** The next send repeats a stored answer. */
  replay: boolean
  /** How many times the broker acknowledged it. */
  count: number
  maxSends: number
  /** The source whose answer confirms it; `null`: it is finished once published. */
  awaitsFrom: string | null
  replyTo: string | null
  confirmWithinMs: number | null
  resendBackoff: number | null
  /** After this it is sent again, or parked. */
  deadline: Date | null
  /** After this, progress signals extend nothing any more. */
  giveUpAt: Date | null
  causationId: string | null
  correlationId: string
  isAnswer: boolean
  /** The answer in whose place this one came. */
  supersedes: string | null
  /** The answer that has come in the place of this one. */
  supersededBy: string | null
  createdAt: Date
  publishedAt: Date | null
  lastSentAt: Date | null
  confirmedAt: Date | null
  /** The answer that confirmed it. */
  confirmedBy: string | null
  updatedAt: Date
  /** Since when it could not be sent; `null`: it waits behind others, or nothing is wrong. */
  failingSince: Date | null
  /** Since when the broker has been answering that its topic is missing, or may not be written. */
  topicUnavailableSince: Date | null
  parkReason: string | null
  lastError: string | null
  /** When its payload and headers were erased; see `erase`. */
  erasedAt: Date | null
  /** Of the payload that was erased: SHA-256 of its JSON text, in hexadecimal. */
  erasedHash: string | null
}

/** A row of the event table. */
export interface StoredEvent extends EventSummary {
  /** The exact JSON text; `null` when it was erased. */
  payload: string | null
  headers: Record<string, string>
}

const SUMMARY = `id seq lane source type topic key dataversion:dataVersion status due replay count max_sends:maxSends
  awaits_from:awaitsFrom reply_to:replyTo confirm_within_ms:confirmWithinMs resend_backoff:resendBackoff deadline
  give_up_at:giveUpAt causation_id:causationId correlation_id:correlationId is_answer:isAnswer supersedes
  superseded_by:supersededBy created_at:createdAt
  published_at:publishedAt last_sent_at:lastSentAt confirmed_at:confirmedAt confirmed_by:confirmedBy
  updated_at:updatedAt failing_since:failingSince
  topic_unavailable_since:topicUnavailableSince park_reason:parkReason last_error:lastError
  erased_at:erasedAt erased_hash:erasedHash`

/** The select list of an {@link EventSummary}; `e` is the alias of the table. */
export const summaryColumns = (e: string): string => selectList(e, SUMMARY)

/** The select list of a {@link StoredEvent}. The payload is read as text: parsed, it would lose big integers. */
export const eventColumns = (e: string): string =>
  `${summaryColumns(e)}, case when ${e}.erased_at is null then ${e}.payload::text end as payload, ${e}.headers`

/** Turns `column column:name …` into a select list with an alias of the table. */
export function selectList(alias: string, words: string): string {
  return words
    .trim()
    .split(/\s+/)
    .map(word => {
      const [column, name] = word.split(':')
      return name === undefined ? `${alias}.${column}` : `${alias}.${column} as "${name}"`
    })
    .join(', ')
}
