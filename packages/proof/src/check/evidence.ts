/** A row of the outbox as evidence: the columns by their names in the table. */
export interface EventRow {
  id: string
  seq: string
  source: string
  type: string
  topic: string
  key: string
  payload: string
  /** SHA-256 of the payload that stood there before a person erased it. */
  erased_hash: string | null
  status: EventStatus
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

export type EventStatus = 'NEW' | 'PUBLISHED' | 'CONFIRMED' | 'PARKED' | 'RESOLVED'

export interface InboxRow {
  consumer: string
  /** In a {@link LookUp}: the event's own. */
  event_id: string
  /** In a {@link LookUp}, where it differs: under what the row stands in the table. */
  row_id?: string
  /** What the record said, of a row that is an event. */
  envelope?: { id?: string; unanswered?: { status: string; reason: string } } | null
  arrival: string
  state: 'DONE' | 'RETRY' | 'BLOCKED' | 'UNKNOWN' | 'HELD' | 'REFUSED'
  key: string
  topic: string
  position: string
  source: string
  type: string
  causation_id: string | null
  outcome: number
  attempts: number
  due_at: Date | null
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

/** A change of an event's row, as a trigger of the harness wrote it down in the transaction of the change. */
export interface Transition {
  event_id: string
  at: Date
  /** `null`: the row was written. */
  from: EventStatus | null
  to: EventStatus
  due: boolean
  count: number
  confirmed_by: string | null
}

export interface ServiceEvidence {
  events: EventRow[]
  inbox: InboxRow[]
  audit: AuditRow[]
  /** In the order in which they happened to each event. */
  transitions: Transition[]
}

/** A record of the log, decoded as far as the checker needs. */
export interface LogRecord {
  topic: string
  partition: number
  offset: string
  timestamp: Date
  key: string
  /** Empty: the record has no readable id. */
  id: string
  source: string
  type: string
  causationId: string | null
  attempt: number
  replay: boolean
  /** Hash of the value. */
  hash: string
  /** The harness sent it as poison, and said so in a header. */
  poison: boolean
  /** The harness deleted it from the log, perhaps before anybody read it. */
  deleted: boolean
}

/** An order, with the tag by which the harness knows whose it is: the request's idempotency key stands nowhere in it. */
export interface OrderRow {
  id: string
  tag: string
  status: 'PLACED' | 'DELAYED' | 'READY' | 'FAILED'
}

/** A line of the workload with several events per key: the `n`th of its key, and the event that announces it. */
export interface NoteRow {
  tag: string
  key: string
  n: number
  event_id: string
}

export interface DeploymentRow {
  id: string
  order_id: string
  status: 'WORKING' | 'READY' | 'FAILED'
}

/** What a note's handler left behind: a row per run that committed; no constraint of the table keeps it single. */
export interface NoteEffect {
  /** Counts up in the order of the effects of one key. */
  applied: string
  event_id: string
  key: string
  n: number
  at: Date
}

/** What the harness itself wrote down, outside the system under test. `at`: ms since 1970. */
export type JournalEntry =
  | { at: number; kind: 'request'; tag: string; action: 'order' | 'note'; detail: unknown }
  | { at: number; kind: 'answer'; tag: string; status: number | 'unknown'; id?: string | undefined }
  | { at: number; kind: 'fault'; name: string; target: string; phase: 'begin' | 'end'; detail?: unknown }
  | { at: number; kind: 'poison'; topic: string; key: string; what: string }
  | {
      at: number
      kind: 'operator'
      service: 'market' | 'deploy'
      action: string
      eventId: string
      status: number | 'unknown'
    }
  | {
      at: number
      kind: 'exit'
      target: string
      code: number | null
      signal: string | null
      /** What the harness did to end it; `none`: it ended by itself. */
      cause: 'SIGKILL' | 'SIGTERM' | 'crash-point' | 'none'
      /** From the signal to the end. */
      tookMs: number
    }
  | { at: number; kind: 'uncaught'; target: string; text: string }

/** A replay that a person asked for. */
export interface ReplayRow {
  id: string
  total: number
  ended_at: Date | null
  stopped_at: Date | null
}

/** How the system stood after healing. */
export interface FinalState {
  at: number
  /** Sessions of the services in a transaction that does nothing. */
  idleInTransaction: number
  /** Records not yet consumed, per group. */
  lag: Record<string, string>
  /** Processes that do not say that they can work, with their reasons. */
  notReady: string[]
  /** The event tables' rows, and what is known of their vacuum. */
  vacuum: Record<string, { dead: number; live: number; told: string }>
  /** Buffers that the relay's look for due events touches. */
  claimBuffers: Record<string, number>
}

/** What the system was allowed. */
export interface Bounds {
  /** After its deadline (or since it fell due) a row may stay unfinished for so long, once all is healed. */
  unfinishedMs: number
  /** From SIGTERM to the end of the process. */
  exitMs: number
  /** Dead rows of an event table, over the hundredth of its live rows that autovacuum leaves alone. */
  deadTuples: number
  claimBuffers: number
}

/** All that the checker judges from: both ledgers, the business rows, the log and the journal. */
export interface Evidence {
  market: ServiceEvidence & { orders: OrderRow[]; notes: NoteRow[] }
  deploy: ServiceEvidence & { deployments: DeploymentRow[]; effects: NoteEffect[]; replays: ReplayRow[] }
  /** Everything that ever stood in the log, deleted records too, by topic, partition, offset. */
  log: LogRecord[]
  journal: JournalEntry[]
  final: FinalState
  bounds: Bounds
}

/** A broken promise: the number of its invariant, in words, and the events whose story shows it. */
export interface Violation {
  invariant: number
  text: string
  eventIds: string[]
}
