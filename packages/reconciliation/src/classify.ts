import type { EventFate, EventSummary } from '@steadfast/store/internal'

/** How the two ledgers stand to each other on one request. The first three ask nothing of a person. */
export const CLASSES = [
  'agreeing',
  'in-flight',
  'at-work-there',
  'never-arrived',
  'done-there',
  'refused-there',
  'held-there',
  'confirmed-without-effect',
  'effect-without-event'
] as const
export type Class = (typeof CLASSES)[number]

/** Which of them are divergences. */
export const isDivergence = (name: Class): boolean => !['agreeing', 'in-flight', 'at-work-there'].includes(name)

/**
 * Classifies one request by its row here and its fate there. The row must have been read before the fate was asked.
 *
 * A request on which the machine is still at work (due, or published and within its deadline and `settleMs` more) is in
 * flight, whatever its fate; one that a person resolved is settled.
 */
export function classify(
  event: Pick<EventSummary, 'status' | 'due' | 'deadline'>,
  fate: EventFate['fate'],
  { now, settleMs }: { now: Date; settleMs: number }
): Class {
  const { status, due, deadline } = event
  if (status === 'RESOLVED') return 'agreeing'
  if (status === 'CONFIRMED') return fate === 'done' || fate === 'at-work' ? 'agreeing' : 'confirmed-without-effect'
  if (status === 'NEW' || due) return 'in-flight'
  if (status === 'PUBLISHED' && deadline !== null && deadline.getTime() + settleMs > now.getTime()) return 'in-flight'
  switch (fate) {
    case 'absent':
      return 'never-arrived'
    case 'at-work':
      return status === 'PUBLISHED' ? 'in-flight' : 'at-work-there'
    case 'done':
      return 'done-there'
    case 'refused':
      return 'refused-there'
    case 'held':
      return 'held-there'
  }
}

/** Something a person can do about a divergence, and where. */
export interface FittingAction {
  action: 'resend' | 'resolve' | 'reprocess' | 'release'
  /** The source at whose reconciliation routes to do it. */
  at: string
  method: 'POST'
  /** Under the prefix of those routes. */
  path: string
}

/** What fits a divergence, best first. */
export function actionsFor(
  name: Class,
  event: Pick<EventSummary, 'id' | 'status' | 'parkReason' | 'confirmedBy'>,
  {
    here,
    consumerHere,
    there,
    consumerThere
  }: { here: string; consumerHere: string; there: string; consumerThere: string }
): FittingAction[] {
  const { id, status, parkReason, confirmedBy } = event
  const own = (action: 'resend' | 'resolve'): FittingAction => ({
    action,
    at: here,
    method: 'POST',
    path: `/events/${id}/${action}`
  })
  const delivery = (action: 'reprocess' | 'release', at: string, consumer: string, eventId: string): FittingAction => ({
    action,
    at,
    method: 'POST',
    path: `/inbox/${encodeURIComponent(consumer)}/${eventId}/${action}`
  })
  const settle = status === 'PARKED' ? [own('resolve')] : []
  switch (name) {
    case 'never-arrived':
      return [own('resend'), ...settle]
    case 'done-there':
      // The answer came and could not be handled here: sending the request again would only bring it once more.
      if ((parkReason === 'ANSWER_REFUSED' || parkReason === 'ANSWER_HELD') && confirmedBy !== null)
        return [delivery('reprocess', here, consumerHere, confirmedBy), ...settle]
      return [own('resend'), ...settle]
    case 'refused-there':
      return [delivery('reprocess', there, consumerThere, id), ...settle]
    case 'held-there':
      return [delivery('reprocess', there, consumerThere, id), delivery('release', there, consumerThere, id)]
    default:
      return []
  }
}
