import { randomBytes } from 'node:crypto'
import { laneOf, type NewEvent } from '@steadfast/events'
import { type Clock, type EventModel, emptyModel, type Fetched, type ModelEvent } from './model.ts'
import type { Draft } from './operations.ts'

/** A history on its way: the model, what the relays remember, and virtual time. */
export interface World {
  model: EventModel
  /** What each relay has read and not yet marked. */
  relays: Fetched[][]
  now: number
  /** Real time at which the step began. */
  stepFrom: number
  /** Sends that the broker acknowledged, by event. */
  acknowledged: Map<string, number>
  open: boolean
}

export const KEYS = ['a', 'b', 'c']
// Of each key; events of two keys share one.
export const TOPICS = ['topic', 'topic', 'other']
export const CAUSES = [uuidAt(0), uuidAt(0)]
export const ANSWERS = [uuidAt(0), uuidAt(0)]
export const ASKER = 'market'
export const ANSWERER = 'deploy'
// Virtual time is so far ahead of the database's clock that no row is of doubtful age.
const AHEAD_MS = 3_600_000
export const GIVE_UP_AFTER_MS = AHEAD_MS + 4000
const CONFIRM_WITHIN_MS = 1000

export function newWorld(): World {
  const stepFrom = Date.now()
  const now = stepFrom + AHEAD_MS
  return { model: emptyModel(), relays: [[], []], now, stepFrom, acknowledged: new Map(), open: false }
}

/** The clock of this step, once its statement has been answered. */
export const clockOf = (world: World): Clock => ({
  now: world.now,
  real: { from: world.stepFrom - 1, to: Date.now() + 1 }
})

/** A UUID v7 of that time. */
export function uuidAt(ms: number): string {
  const hex = ms.toString(16).padStart(12, '0') + randomBytes(10).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

const TYPES = {
  request: 'market.requested',
  fact: 'market.told',
  answer: 'market.answered',
  refusal: 'steadfast.refused'
}

/** What the outbox writes, and what the model makes of it. Answers and refusals answer one of two events elsewhere. */
export function drafted(draft: Draft): { event: NewEvent; expected(order: number, clock: Clock): ModelEvent } {
  const key = KEYS[draft.key] ?? 'a'
  const awaits = draft.kind === 'request'
  const isAnswer = draft.kind === 'answer' || draft.kind === 'refusal'
  const payload = JSON.stringify({ text: 'x'.repeat(draft.big ? 200 : 20) })
  const event: NewEvent = {
    id: uuidAt(Date.now()),
    source: ASKER,
    type: TYPES[draft.kind],
    topic: TOPICS[draft.key] ?? '',
    key,
    lane: laneOf(key),
    dataVersion: null,
    payload,
    headers: {},
    maxSends: draft.maxSends,
    awaitsFrom: awaits ? ANSWERER : null,
    awaitsReceipt: awaits && draft.key === 0,
    replyTo: awaits ? `${ASKER}.signals` : null,
    confirmWithinMs: awaits ? CONFIRM_WITHIN_MS : null,
    resendBackoff: awaits ? draft.backoff : null,
    giveUpAfterMs: awaits ? GIVE_UP_AFTER_MS : null,
    // a fact is an effect of the same event, and no answer to it
    causationId: awaits ? null : (CAUSES[draft.cause] ?? null),
    correlationId: null,
    isAnswer
  }
  const expected = (order: number, { real }: Clock): ModelEvent => ({
    id: event.id,
    order,
    seq: '',
    type: event.type,
    topic: event.topic,
    key,
    lane: event.lane,
    bytes: payload.length,
    awaitsFrom: event.awaitsFrom,
    awaitsReceipt: event.awaitsReceipt,
    isAnswer,
    causationId: event.causationId,
    maxSends: draft.maxSends,
    confirmWithinMs: CONFIRM_WITHIN_MS,
    backoff: draft.backoff,
    row: {
      status: 'NEW',
      due: true,
      replay: false,
      count: 0,
      deadline: null,
      give_up_at: awaits ? { from: real.from + GIVE_UP_AFTER_MS, to: real.to + GIVE_UP_AFTER_MS } : null,
      created_at: { ...real },
      published_at: null,
      last_sent_at: null,
      confirmed_at: null,
      confirmed_by: null,
      park_reason: null,
      updated_at: { ...real }
    }
  })
  return { event, expected }
}
