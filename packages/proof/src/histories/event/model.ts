import type { Time } from '../differences.ts'

/** What of an event the state machine moves, by the names of the columns. */
export interface Moving {
  status: 'NEW' | 'PUBLISHED' | 'CONFIRMED' | 'PARKED' | 'RESOLVED'
  due: boolean
  replay: boolean
  count: number
  deadline: Time
  give_up_at: Time
  created_at: Time
  published_at: Time
  last_sent_at: Time
  confirmed_at: Time
  confirmed_by: string | null
  park_reason: string | null
  updated_at: Time
}

/** One event as the model knows it: nothing of SQL. */
export interface ModelEvent {
  id: string
  /** When it was written, in order. */
  order: number
  /** The database's number of it, taken over from the row. */
  seq: string
  type: string
  topic: string
  key: string
  lane: number
  bytes: number
  awaitsFrom: string | null
  awaitsReceipt: boolean
  isAnswer: boolean
  causationId: string | null
  maxSends: number
  confirmWithinMs: number
  backoff: number
  row: Moving
}

export interface EventModel {
  /** By order. */
  events: ModelEvent[]
  /** Actor, action and event of each row of the audit. */
  audit: string[]
  nextOrder: number
  /** Written in a transaction that is still open. */
  pending: ModelEvent[]
}

/** Virtual time for the verbs that are told it, and bounds of the real time for those that ask the database's clock. */
export interface Clock {
  now: number
  real: { from: number; to: number }
}

/** A row as a relay read it. */
export interface Fetched {
  id: string
  count: number
}

export const emptyModel = (): EventModel => ({ events: [], audit: [], nextOrder: 0, pending: [] })

export const find = (model: EventModel, id: string): ModelEvent | undefined => model.events.find(e => e.id === id)

/** A time that no row has taken over yet is far enough from what it is compared with. */
export const number = (time: Time): number => (typeof time === 'number' ? time : time === null ? Number.NaN : time.to)

/** The bounds of what a function of a time gives; it must be monotone. */
const through = (time: Time, change: (ms: number) => number): Time =>
  typeof time === 'object' && time !== null ? { from: change(time.from), to: change(time.to) } : change(number(time))

/** Rows become visible at COMMIT. */
export function appear(model: EventModel, events: ModelEvent[]): void {
  model.events = [...model.events, ...events].sort((a, b) => a.order - b.order)
}

export interface DueQuery {
  lanes: readonly number[]
  excludeSeqs: readonly string[]
  excludeKeys: readonly { key: string }[]
  replays: number
  limit: number
  maxBytes: number
}

/** What is due, in the order it was written, nothing skipped; where there is room, stored answers that go out again. */
export function fetchDue(model: EventModel, query: DueQuery): ModelEvent[] {
  const due = model.events
    .filter(e => e.row.due && query.lanes.includes(e.lane) && !query.excludeSeqs.includes(e.seq))
    .filter(e => !query.excludeKeys.some(({ key }) => key === e.key))
  const fresh = due.filter(e => !e.row.replay).slice(0, query.limit)
  const again = fresh.length < query.limit ? due.filter(e => e.row.replay).slice(0, query.replays) : []
  const batch = [...fresh, ...again]
  let bytes = 0
  const over = batch.findIndex((e, i) => {
    bytes += e.bytes
    return i > 0 && bytes > query.maxBytes
  })
  return over === -1 ? batch : batch.slice(0, over)
}

/** The broker acknowledged a send that began when the row had this count. */
export function mark(event: ModelEvent, read: Fetched, { now }: Clock): boolean {
  const { row } = event
  if (!row.due || row.count !== read.count) return false
  if (event.awaitsFrom !== null && (row.status === 'NEW' || row.status === 'PUBLISHED')) {
    const span = event.confirmWithinMs * event.backoff ** row.count
    row.deadline = { from: now + span * 0.9, to: now + span * 1.1 }
  }
  if (row.status === 'NEW') row.status = 'PUBLISHED'
  else if (row.status === 'PARKED' && event.awaitsFrom === null) row.status = 'RESOLVED'
  row.due = false
  row.replay = false
  row.count += 1
  row.published_at ??= now
  row.last_sent_at = now
  row.updated_at = now
  return true
}

/** The marks of a batch. `locked`: rows in another transaction's hands, which are marked later. */
export function markAll(
  model: EventModel,
  sent: readonly Fetched[],
  locked: readonly string[],
  clock: Clock
): { marked: string[]; locked: string[] } {
  const events = new Map(sent.map(read => [find(model, read.id), read]))
  const open = [...events].filter(([event, read]) => event?.row.due && event.row.count === read.count)
  const ids = open.map(([, { id }]) => id).sort()
  for (const [event, read] of open) if (event && !locked.includes(event.id)) mark(event, read, clock)
  return { marked: ids.filter(id => !locked.includes(id)), locked: ids.filter(id => locked.includes(id)) }
}

/** The broker will never take it. */
export function parkUnsendable(event: ModelEvent, read: Fetched, { real }: Clock) {
  const { row } = event
  if (!row.due || row.count !== read.count) return 'unchanged'
  row.due = false
  row.replay = false
  if (row.status === 'NEW' || row.status === 'PUBLISHED') {
    row.status = 'PARKED'
    row.park_reason = 'REFUSED_BY_BROKER'
  }
  row.updated_at = real
  return row.status === 'PARKED' && row.park_reason === 'REFUSED_BY_BROKER' ? 'parked' : 'ended'
}

export interface AnswerOf {
  answerId: string
  source: string
  answersType: string | null
  receipt: boolean
}

/** Whether an event awaits what an answer is, whoever sends it. */
const isAsked = (event: ModelEvent, { answersType, receipt }: AnswerOf) =>
  event.awaitsFrom !== null && (answersType === null || answersType === event.type) && (!receipt || event.awaitsReceipt)

const isAwaited = (event: ModelEvent, answer: AnswerOf) => event.awaitsFrom === answer.source && isAsked(event, answer)

/** What an answer finds. */
export function check(event: ModelEvent | undefined, answer: AnswerOf): string {
  if (event === undefined) return 'unknown'
  if (!isAsked(event, answer)) return 'other'
  if (!isAwaited(event, answer)) return 'foreign'
  if (event.row.status === 'CONFIRMED') return event.row.confirmed_by === answer.answerId ? 'same' : 'conflict'
  return event.row.status === 'RESOLVED' ? 'late' : 'open'
}

/** The awaited answer has arrived; it may overtake the mark, and comes late to a parked event. */
export function confirm(model: EventModel, id: string, answer: AnswerOf, { real }: Clock): string {
  const event = find(model, id)
  if (event === undefined || !isAwaited(event, answer)) return 'unchanged'
  const { row } = event
  if (row.status === 'CONFIRMED' || row.status === 'RESOLVED') return 'unchanged'
  const parked = row.status === 'PARKED'
  Object.assign(row, {
    status: 'CONFIRMED',
    confirmed_at: real,
    confirmed_by: answer.answerId,
    park_reason: null,
    updated_at: real
  })
  if (parked) model.audit.push(`steadfast unpark ${id}`)
  return parked ? 'unparked' : 'confirmed'
}

/** The consumer's verdict, or an answer that could not be handled. */
export function parkByVerdict(
  event: ModelEvent,
  verdict: { from: string | undefined; reason: string; confirmedBy: string | undefined },
  { real }: Clock
): boolean {
  const { row } = event
  const timedOut = row.status === 'PARKED' && ['UNCONFIRMED', 'TOPIC_UNAVAILABLE'].includes(row.park_reason ?? '')
  if (row.status !== 'NEW' && row.status !== 'PUBLISHED' && !timedOut) return false
  if (event.awaitsFrom === null || (verdict.from !== undefined && verdict.from !== event.awaitsFrom)) return false
  Object.assign(row, { status: 'PARKED', park_reason: verdict.reason, updated_at: real })
  row.confirmed_by = verdict.confirmedBy ?? row.confirmed_by
  return true
}

/** The consumer works on it. */
export function inProgress(event: ModelEvent, from: string, { now, real }: Clock): boolean {
  const { row } = event
  if (row.status !== 'PUBLISHED' || event.awaitsFrom !== from || now >= number(row.give_up_at)) return false
  const span = event.confirmWithinMs * event.backoff ** Math.max(row.count - 1, 0)
  const extend = (ms: number) => Math.min(number(row.give_up_at), Math.max(ms, now + span))
  row.deadline = row.deadline === null ? extend(0) : through(row.deadline, extend)
  row.updated_at = real
  return true
}

/** One tick of a sweeper. `locked`: rows in another transaction's hands, which it passes over. */
export function sweep(
  model: EventModel,
  { limit, budget, locked }: { limit: number; budget: number; locked: readonly string[] },
  { now }: Clock
): { resent: string[]; parked: string[] } {
  const isResend = ({ row }: ModelEvent) => row.due && row.count > 0 && !row.replay
  const free = model.events.filter(({ id, row }) => row.status === 'PUBLISHED' && !locked.includes(id))
  const late = free
    .filter(({ row }) => !row.due && row.deadline !== null && number(row.deadline) <= now)
    .sort((a, b) => number(a.row.deadline) - number(b.row.deadline))
  const unsent = free
    .filter(isResend)
    .filter(({ row }) => number(row.give_up_at) <= now)
    .filter(({ row }) => number(row.updated_at) + (number(row.give_up_at) - number(row.created_at)) <= now)
    .sort((a, b) => number(a.row.give_up_at) - number(b.row.give_up_at))
  const again = [...new Set(late.map(({ topic }) => topic))].flatMap(topic => {
    const outstanding = model.events
      .filter(isResend)
      .filter(e => e.topic === topic && (e.row.status === 'PUBLISHED' || e.row.status === 'PARKED'))
    return late
      .filter(e => e.topic === topic && e.row.count < e.maxSends)
      .slice(0, Math.max(0, budget - outstanding.length))
      .map((event, place) => ({ event, place }))
  })
  const resent = again
    .sort((a, b) => a.place - b.place || number(a.event.row.deadline) - number(b.event.row.deadline))
    .slice(0, limit)
    .map(({ event }) => event)
  const usedUp = late.filter(e => e.row.count >= e.maxSends).slice(0, limit)
  const parked = [...usedUp, ...unsent.slice(0, limit)]
  for (const { row } of parked)
    Object.assign(row, { status: 'PARKED', park_reason: 'UNCONFIRMED', due: false, updated_at: now })
  for (const { row } of resent) Object.assign(row, { due: true, updated_at: now })
  return { resent: resent.map(e => e.id).sort(), parked: parked.map(e => e.id).sort() }
}

/** A duplicate of the request has arrived at the consumer: its stored answers go out again. */
export function replayAnswers(model: EventModel, causationId: string, of: 'DONE' | 'REFUSED', { real }: Clock): number {
  const answers = model.events
    .filter(e => e.isAnswer && e.causationId === causationId)
    .filter(e => (e.type === 'steadfast.refused') === (of === 'REFUSED'))
  for (const { row } of answers) {
    if (row.due || row.status === 'NEW' || row.status === 'PARKED') continue
    Object.assign(row, { due: true, replay: true, updated_at: real })
  }
  return answers.length
}

/** A person sends it again. */
export function resend(model: EventModel, id: string, { real }: Clock): string {
  const event = find(model, id)
  if (event === undefined) return 'unknown'
  const { row } = event
  if (row.due || (row.status !== 'PUBLISHED' && row.status !== 'PARKED')) return 'unfit'
  Object.assign(row, { due: true, updated_at: real })
  model.audit.push(`ann resend ${id}`)
  return 'resent'
}

/** A person closes it. */
export function resolve(model: EventModel, id: string, { real }: Clock): boolean {
  const event = find(model, id)
  if (event?.row.status !== 'PARKED') return false
  Object.assign(event.row, { status: 'RESOLVED', due: false, replay: false, updated_at: real })
  model.audit.push(`ann resolve ${id}`)
  return true
}
