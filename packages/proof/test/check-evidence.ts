import type {
  EventRow,
  Evidence,
  InboxRow,
  JournalEntry,
  LogRecord,
  ServiceEvidence,
  Transition
} from '../src/check/evidence.ts'
import { hashOf } from '../src/check/invariants/records.ts'
import { ORDERED, REQUESTED } from '../src/check/look-up.ts'

/** The evidence of a small run in which nothing went wrong: one order, and two notes of one key, the second refused. */

export const START = Date.parse('2026-01-01T00:00:00Z')
const at = (seconds: number) => new Date(START + seconds * 1000)

export const ORDER = 'order-1'
export const REQUEST = 'request-1'
export const ANSWER = 'answer-1'
export const NOTES = ['note-1', 'note-2', 'note-3'] as const

export function eventRow(row: Partial<EventRow> & Pick<EventRow, 'id' | 'type' | 'key'>): EventRow {
  const source = row.type.startsWith('deploy.') || row.type.startsWith('steadfast.') ? 'deploy' : 'market'
  const awaits = source === 'market'
  return {
    seq: '1',
    source,
    topic: source === 'market' ? 'requests' : 'results',
    payload: `{"of":"${row.id}"}`,
    erased_hash: null,
    status: awaits ? 'CONFIRMED' : 'PUBLISHED',
    due: false,
    count: 1,
    max_sends: 6,
    awaits_from: awaits ? 'deploy' : null,
    deadline: awaits ? at(10) : null,
    causation_id: null,
    is_answer: !awaits,
    created_at: at(1),
    published_at: at(2),
    confirmed_at: awaits ? at(5) : null,
    confirmed_by: null,
    updated_at: at(5),
    park_reason: null,
    last_error: null,
    ...row
  }
}

export function transitionsOf({ id, status, confirmed_by }: EventRow): Transition[] {
  const step = (from: Transition['from'], to: Transition['to'], seconds: number): Transition => {
    const isFirst = from === null
    return {
      event_id: id,
      at: at(seconds),
      from,
      to,
      due: isFirst,
      count: isFirst ? 0 : 1,
      confirmed_by: to === 'CONFIRMED' ? confirmed_by : null
    }
  }
  const steps = [step(null, 'NEW', 1), step('NEW', 'PUBLISHED', 2)]
  return status === 'PUBLISHED' ? steps : [...steps, step('PUBLISHED', status, 5)]
}

let offset = 0
export function logRecord(event: EventRow, record: Partial<LogRecord> = {}): LogRecord {
  return {
    topic: event.topic,
    partition: 0,
    offset: String(offset++),
    timestamp: at(2),
    key: event.key,
    id: event.id,
    source: event.source,
    type: event.type,
    causationId: event.causation_id,
    attempt: 1,
    replay: false,
    poison: false,
    hash: hashOf(event.payload),
    deleted: false,
    ...record
  }
}

export function inboxRow(consumer: string, event: EventRow, row: Partial<InboxRow> = {}): InboxRow {
  return {
    consumer,
    event_id: event.id,
    arrival: event.seq,
    state: 'DONE',
    key: event.key,
    topic: event.topic,
    position: `0:${event.seq}`,
    source: event.source,
    type: event.type,
    causation_id: event.causation_id,
    outcome: 200,
    attempts: 0,
    due_at: null,
    received_at: at(3),
    updated_at: at(3),
    error: null,
    ...row
  }
}

function service(events: EventRow[], inbox: InboxRow[]): ServiceEvidence {
  return { events, inbox, audit: [], transitions: events.flatMap(transitionsOf) }
}

const receipts = NOTES.map((note, index) =>
  eventRow({
    id: `receipt-${note}`,
    seq: String(10 + index),
    type: index === 1 ? 'steadfast.refused' : 'steadfast.receipt',
    key: 'hot',
    topic: 'market.signals',
    causation_id: note
  })
)

function requests(): EventRow[] {
  const notes = NOTES.map((id, index) =>
    eventRow({ id, seq: String(index + 2), type: ORDERED, key: 'hot', topic: 'notes', confirmed_by: `receipt-${id}` })
  )
  Object.assign(notes[1] as EventRow, { status: 'PARKED', park_reason: 'REFUSED', confirmed_by: null })
  return [eventRow({ id: REQUEST, type: REQUESTED, key: ORDER, confirmed_by: ANSWER }), ...notes]
}

function journal(): JournalEntry[] {
  const ask = (tag: string, action: 'order' | 'note', id: string): JournalEntry[] => [
    { at: START, kind: 'request', tag, action, detail: {} },
    { at: START + 900, kind: 'answer', tag, status: 'unknown' },
    { at: START + 1900, kind: 'answer', tag, status: 202, id }
  ]
  return [
    ...ask('tag-order', 'order', ORDER),
    ...NOTES.flatMap(id => ask(`tag-${id}`, 'note', id)),
    { at: START, kind: 'request', tag: 'tag-refused', action: 'order', detail: {} },
    { at: START + 100, kind: 'answer', tag: 'tag-refused', status: 400 },
    { at: START + 2000, kind: 'fault', name: 'kill', target: 'market-1', phase: 'begin' },
    {
      at: START + 2001,
      kind: 'exit',
      target: 'market-1',
      code: null,
      signal: 'SIGKILL',
      cause: 'SIGKILL',
      tookMs: 3
    },
    { at: START + 9000, kind: 'exit', target: 'market-1', code: 0, signal: null, cause: 'SIGTERM', tookMs: 500 }
  ]
}

export function healthy(): Evidence {
  offset = 0
  const events = requests()
  const answer = eventRow({
    id: ANSWER,
    seq: '1',
    type: 'deploy.deployment.succeeded',
    key: ORDER,
    causation_id: REQUEST
  })
  const replies = [answer, ...receipts.map(row => ({ ...row }))]
  const inbox = events.map(event => inboxRow('deploy', event))
  Object.assign(inbox[2] as InboxRow, { state: 'REFUSED', outcome: 422 })
  return {
    market: {
      ...service(events, [inboxRow('market', answer)]),
      orders: [{ id: ORDER, tag: 'tag-order', status: 'READY' }],
      notes: NOTES.map((id, index) => ({ tag: `tag-${id}`, key: 'hot', n: index + 1, event_id: id }))
    },
    deploy: {
      ...service(replies, inbox),
      deployments: [{ id: REQUEST, order_id: ORDER, status: 'READY' }],
      effects: [
        { applied: '1', event_id: NOTES[0], key: 'hot', n: 1, at: at(3) },
        { applied: '2', event_id: NOTES[2], key: 'hot', n: 3, at: at(4) }
      ],
      replays: [{ id: 'replay-1', total: 1, ended_at: at(6), stopped_at: null }]
    },
    log: [...events, ...replies].map(event => logRecord(event)),
    journal: journal(),
    final: {
      at: START + 60_000,
      idleInTransaction: 0,
      lag: { market: '0', deploy: '0' },
      notReady: [],
      vacuum: { market: { dead: 0, live: 0, told: '' }, deploy: { dead: 0, live: 0, told: '' } },
      claimBuffers: { market: 2, deploy: 2 }
    },
    bounds: { unfinishedMs: 5000, exitMs: 10_000, deadTuples: 2000, claimBuffers: 500 }
  }
}
