import { CENTURY_MS, parseOptions } from '@steadfast/events'
import { Type } from 'typebox'
import { RetentionInvalid } from './errors.ts'

/** How long finished rows stay, and what that is measured against. All in ms. */
export interface Retention {
  /** Events that are CONFIRMED, RESOLVED, or published and await nothing. Default 14 days. */
  eventsMs: number
  /** Events that are answers: a duplicate of what they answer sends them again. Default 14 days. */
  answersMs: number
  /** Inbox rows that are DONE or REFUSED. Default 14 days. */
  inboxMs: number
  /** Requests for a replay. Default 90 days. */
  replaysMs: number
  /** How long the log keeps the messages this service consumes; a fact about the broker. Default 7 days. */
  topicRetentionMs: number
  /** How far beyond that a sender or an operator may send something again. Default 7 days. */
  replayWindowMs: number
}

const DAY = 86_400_000
const days = (n: number) => Type.Number({ minimum: 0, maximum: CENTURY_MS, default: n * DAY })
/** What {@link Retention} is checked by. */
export const RetentionSchema = Type.Object({
  eventsMs: days(14),
  answersMs: days(14),
  inboxMs: days(14),
  replaysMs: days(90),
  topicRetentionMs: days(7),
  replayWindowMs: days(7)
})

/**
 * Fills in the defaults and checks that answers stay as long as inbox rows, and these as long as a duplicate may come.
 *
 * @throws SF_OPTIONS_INVALID, SF_SWEEPER_RETENTION_INVALID
 */
export function checkRetention(given: Partial<Retention>): Retention {
  const retention = parseOptions('@steadfast/sweeper retention', RetentionSchema, given)
  const { answersMs, inboxMs, topicRetentionMs, replayWindowMs } = retention
  if (inboxMs < topicRetentionMs + replayWindowMs)
    throw new RetentionInvalid(
      `inboxMs (${inboxMs}) must be at least topicRetentionMs + replayWindowMs (${topicRetentionMs + replayWindowMs}), or a duplicate takes effect again`
    )
  if (answersMs < inboxMs)
    throw new RetentionInvalid(
      `answersMs (${answersMs}) must be at least inboxMs (${inboxMs}), or a duplicate finds no answer to repeat`
    )
  return retention
}
