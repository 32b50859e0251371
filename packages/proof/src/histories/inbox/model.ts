import type { Time } from '../differences.ts'

export type State = 'DONE' | 'RETRY' | 'BLOCKED' | 'UNKNOWN' | 'HELD' | 'REFUSED'

/** One row of the inbox as the model knows it. */
export interface ModelDelivery {
  consumer: string
  eventId: string
  topic: string
  key: string
  /** Order of arrival. */
  order: number
  row: {
    state: State
    outcome: number
    attempts: number
    due_at: Time
    has_body: boolean
    error: string | null
    replay_id: string | null
    updated_at: Time
  }
}

/** What a handler left behind, committed with its row or not at all. */
export interface Effect {
  consumer: string
  eventId: string
  topic: string
  key: string
  /** Set when a replay ran the handler again. */
  replay: string | null
}

/** An event that a handler, or a refusal, wrote into the outbox. */
export interface Caused {
  eventId: string
  type: string
  consumer: string
  isAnswer: boolean
}

export interface InboxModel {
  /** By order. */
  deliveries: ModelDelivery[]
  effects: Effect[]
  caused: Caused[]
  audit: string[]
  nextOrder: number
}

export interface Clock {
  now: number
  real: { from: number; to: number }
}

export interface Arriving {
  consumer: string
  eventId: string
  topic: string
  key: string
}

export const emptyInbox = (): InboxModel => ({ deliveries: [], effects: [], caused: [], audit: [], nextOrder: 0 })

export const findDelivery = (model: InboxModel, { consumer, eventId }: { consumer: string; eventId: string }) =>
  model.deliveries.find(d => d.consumer === consumer && d.eventId === eventId)

const isWaiting = (state: State) => state === 'RETRY' || state === 'BLOCKED' || state === 'UNKNOWN'
const isUnfinished = ({ row }: ModelDelivery) => row.state === 'HELD' || isWaiting(row.state)
const sameUnit = (a: Arriving, b: Arriving) => a.consumer === b.consumer && a.topic === b.topic && a.key === b.key

/** Whether a delivery of this topic and key may not run now because of one that came before. */
export const isKeyBusy = (model: InboxModel, arriving: Arriving): boolean =>
  model.deliveries.some(d => sameUnit(d, arriving) && isUnfinished(d))

/** A row of a delivery that is there for the first time. */
export function arrived(
  model: InboxModel,
  arriving: Arriving,
  row: Partial<ModelDelivery['row']>,
  { real }: Clock
): ModelDelivery {
  const { consumer, eventId, topic, key } = arriving
  return {
    consumer,
    eventId,
    topic,
    key,
    order: model.nextOrder++,
    row: {
      state: 'DONE',
      outcome: 200,
      attempts: 0,
      due_at: null,
      has_body: row.state !== undefined && row.state !== 'DONE',
      error: null,
      replay_id: null,
      updated_at: { ...real },
      ...row
    }
  }
}

export function insert(model: InboxModel, delivery: ModelDelivery): void {
  model.deliveries = [...model.deliveries, delivery].sort((a, b) => a.order - b.order)
}

/** The first unfinished delivery of each topic and key, if it may run now, in order of arrival. */
export function runnable(model: InboxModel, consumer: string, limit: number, now: number): ModelDelivery[] {
  return model.deliveries.filter(d => d.consumer === consumer && mayRun(model, d, now)).slice(0, limit)
}

/** Whether a delivery that was set aside is the first of its topic and key, and due. */
export function mayRun(model: InboxModel, delivery: ModelDelivery, now: number): boolean {
  const { state } = delivery.row
  if (!(state === 'BLOCKED' || state === 'UNKNOWN' || (state === 'RETRY' && isDue(delivery, now)))) return false
  return isFirst(model, delivery)
}

const isDue = ({ row: { due_at } }: ModelDelivery, now: number, forMs = 0) =>
  typeof due_at === 'number' && due_at <= now - forMs

function isFirst(model: InboxModel, delivery: ModelDelivery): boolean {
  return !model.deliveries.some(d => sameUnit(d, delivery) && isUnfinished(d) && d.order < delivery.order)
}

/** What of the runnable wants something of a process that knows no type. */
export function left(model: InboxModel, consumer: string, patienceMs: number, now: number): ModelDelivery[] {
  return model.deliveries.filter(d => {
    if (d.consumer !== consumer || !isFirst(model, d)) return false
    const { state } = d.row
    return (
      state === 'BLOCKED' || (state === 'UNKNOWN' && isDue(d, now)) || (state === 'RETRY' && isDue(d, now, patienceMs))
    )
  })
}

/** A fresh delivery at a process that does not know it. */
export function leave(model: InboxModel, arriving: Arriving, patienceMs: number, error: string, clock: Clock): boolean {
  if (findDelivery(model, arriving) !== undefined) return false
  const row: Partial<ModelDelivery['row']> = isKeyBusy(model, arriving)
    ? { state: 'BLOCKED', error }
    : { state: 'UNKNOWN', due_at: clock.now + patienceMs, error }
  insert(model, arrived(model, arriving, row, clock))
  return true
}

/** It waits for a process that knows it from now on. */
export function turn(
  delivery: ModelDelivery | undefined,
  patienceMs: number,
  error: string,
  { now, real }: Clock
): boolean {
  if (delivery === undefined) return false
  const { row } = delivery
  if (!(row.state === 'BLOCKED' || (row.state === 'RETRY' && isDue(delivery, now, patienceMs)))) return false
  const was = row.error
  Object.assign(row, { state: 'UNKNOWN', due_at: now + patienceMs, error: was ?? error, updated_at: { ...real } })
  return true
}

/** Whether its patience is over. */
export const isGivenUp = (delivery: ModelDelivery | undefined, now: number): delivery is ModelDelivery =>
  delivery?.row.state === 'UNKNOWN' && isDue(delivery, now)

/** The handler of a delivery that was set aside has committed. */
export function finish(delivery: ModelDelivery, outcome: number, { real }: Clock): void {
  Object.assign(delivery.row, {
    state: 'DONE',
    outcome,
    has_body: false,
    error: null,
    due_at: null,
    updated_at: { ...real }
  })
}

const waits = (delivery: ModelDelivery | undefined): delivery is ModelDelivery =>
  delivery !== undefined && isWaiting(delivery.row.state)

export function retryLater(
  delivery: ModelDelivery | undefined,
  attempts: number,
  dueInMs: number,
  error: string,
  { now, real }: Clock
): boolean {
  if (!waits(delivery)) return false
  Object.assign(delivery.row, { state: 'RETRY', attempts, due_at: now + dueInMs, error, updated_at: { ...real } })
  return true
}

export function hold(
  delivery: ModelDelivery | undefined,
  attempts: number,
  outcome: number,
  error: string,
  { real }: Clock
): boolean {
  if (!waits(delivery)) return false
  Object.assign(delivery.row, { state: 'HELD', attempts, outcome, error, due_at: null, updated_at: { ...real } })
  return true
}

/** A verdict, on a fresh delivery or one that was set aside. */
export function refuse(model: InboxModel, arriving: Arriving, outcome: number, error: string, clock: Clock): boolean {
  const known = findDelivery(model, arriving)
  if (known === undefined) insert(model, arrived(model, arriving, { state: 'REFUSED', outcome, error }, clock))
  else if (waits(known))
    Object.assign(known.row, { state: 'REFUSED', outcome, error, due_at: null, updated_at: { ...clock.real } })
  else return false
  return true
}

/** A person skips a delivery that is held, or that nobody knows. */
export function release(
  model: InboxModel,
  delivery: ModelDelivery | undefined,
  outcome: number,
  error: string,
  { real }: Clock
): boolean {
  if (delivery?.row.state !== 'HELD' && delivery?.row.state !== 'UNKNOWN') return false
  Object.assign(delivery.row, { state: 'REFUSED', outcome, error, due_at: null, updated_at: { ...real } })
  model.audit.push(`ann release ${delivery.eventId} ${delivery.consumer}`)
  return true
}

/** A person lets the handler run again. What this consumer told the sender of its refusal is withdrawn. */
export function reprocess(model: InboxModel, delivery: ModelDelivery | undefined, { now, real }: Clock): boolean {
  if (delivery === undefined || !['HELD', 'UNKNOWN', 'REFUSED'].includes(delivery.row.state)) return false
  Object.assign(delivery.row, { state: 'RETRY', attempts: 0, due_at: now, updated_at: { ...real } })
  for (const caused of model.caused)
    if (
      caused.eventId === delivery.eventId &&
      caused.consumer === delivery.consumer &&
      caused.type === 'steadfast.refused'
    )
      caused.isAnswer = false
  model.audit.push(`ann reprocess ${delivery.eventId} ${delivery.consumer}`)
  return true
}

/** Stored answers that a duplicate sends again. */
export const answersOf = (model: InboxModel, eventId: string, of: 'DONE' | 'REFUSED'): number =>
  model.caused.filter(
    c => c.eventId === eventId && c.isAnswer && (c.type === 'steadfast.refused') === (of === 'REFUSED')
  ).length

/** One batch of retention, in the order of the primary key. Answers which rows are gone. */
export function purge(model: InboxModel, olderThanMs: number, limit: number, { now }: Clock): ModelDelivery[] {
  const place = (d: Arriving) => `${d.consumer} ${d.eventId}`
  const seen = [...model.deliveries].sort((a, b) => (place(a) < place(b) ? -1 : 1)).slice(0, limit)
  const gone = seen.filter(
    d =>
      (d.row.state === 'DONE' || d.row.state === 'REFUSED') &&
      typeof d.row.updated_at === 'number' &&
      d.row.updated_at < now - olderThanMs
  )
  model.deliveries = model.deliveries.filter(d => !gone.includes(d))
  return gone
}
