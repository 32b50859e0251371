/** A row of the outbox as evidence: the columns by their names in the table. */
export interface EventRow {
  id: string
  seq: string
  source: string
  type: string
  topic: string
  key: string
  payload: string
  status: 'NEW' | 'PUBLISHED' | 'CONFIRMED' | 'PARKED' | 'RESOLVED'
  due: boolean
  count: number
  max_sends: number
  awaits_from: string | null
  deadline: Date | null
  causation_id: string | null
  is_answer: boolean
  created_at: Date
  published_at: Date | null
  confirmed_at: Date | null
  confirmed_by: string | null
  updated_at: Date
  park_reason: string | null
  last_error: string | null
}

export interface InboxRow {
  consumer: string
  event_id: string
  arrival: string
  state: 'DONE' | 'RETRY' | 'BLOCKED' | 'HELD' | 'REFUSED'
  key: string
  topic: string
  position: string
  source: string
  type: string
  causation_id: string | null
  outcome: number
  attempts: number
  received_at: Date
  updated_at: Date
  error: { code?: string; message?: string } | null
}

export interface AuditRow {
  id: string
  at: Date
  actor: string
  action: string
  event_id: string | null
  consumer: string | null
  note: string | null
}

/** One record of the log, decoded as far as the checker needs. */
export interface LogRecord {
  topic: string
  partition: number
  offset: string
  timestamp: Date
  key: string
  id: string
  source: string
  type: string
  attempt: number
  replay: boolean
  /** Hash of the value. */
  hash: string
}

/** What the harness itself wrote down, outside the system under test. */
export type JournalEntry =
  | { at: number; kind: 'request'; idempotencyKey: string; key: string; action: string }
  | { at: number; kind: 'answer'; idempotencyKey: string; status: number | 'unknown'; orderId?: string }
  | { at: number; kind: 'fault'; name: string; target: string; detail?: unknown }
  | { at: number; kind: 'operator'; action: string; eventId: string; status: number }
  | { at: number; kind: 'sample'; idleInTransaction: number; deadTuples: number }
  | { at: number; kind: 'exit'; target: string; code: number | null; signal: string | null; expected: boolean }
  | { at: number; kind: 'uncaught'; target: string; text: string }

export interface ServiceEvidence {
  events: EventRow[]
  inbox: InboxRow[]
  audit: AuditRow[]
}

/** All that the checker judges from: both ledgers, the business rows, the log and the journal. */
export interface Evidence {
  market: ServiceEvidence & { orders: { id: string; state: string; idempotency_key?: string | null }[] }
  deploy: ServiceEvidence & {
    deployments: { id: string; event_id: string; order_id: string; state: string; product: string }[]
  }
  log: LogRecord[]
  journal: JournalEntry[]
  /** The names of databases that were really made on the target server. */
  targets: string[]
}

/** A broken promise: the number of its invariant, in words, and the events whose story shows it. */
export interface Violation {
  invariant: number
  text: string
  eventIds: string[]
}
