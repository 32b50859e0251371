import {
  type AnyEventContract,
  buildEvent,
  type EventEnvelope,
  InProgressSignal,
  laneOf,
  type NewEvent,
  ReceiptSignal,
  RefusedSignal
} from '@steadfast/events'
import {
  checkAnswer,
  confirmEvent,
  type DeliveryError,
  extendDeadline,
  type NewDelivery,
  parkEvent,
  tellParked
} from '@steadfast/store/internal'
import { raise } from './alarm.ts'
import { clip } from './believe.ts'
import { storable } from './delivery-error.ts'
import { UnaskedSignal } from './errors.ts'
import type { Consumer } from './types.ts'

/** Makes a signal about a delivery: for the `replyto` topic of its envelope, keyed as the event itself. */
function signalOf(
  contract: AnyEventContract,
  data: Record<string, unknown>,
  to: { row: NewDelivery; source: string; isAnswer: boolean }
): NewEvent | undefined {
  const { row } = to
  if (row.replyTo === null) return undefined
  const { id: eventId } = row.envelope
  const signal = buildEvent(contract, { eventId, consumer: row.consumer, ...data }, { source: to.source })
  const key = row.envelope.key ?? row.eventId
  return {
    ...signal,
    topic: row.replyTo,
    key,
    lane: laneOf(key),
    causationId: eventId,
    correlationId: row.correlationId,
    isAnswer: to.isAnswer,
    headers: traceOf(row.envelope)
  }
}

/** The verdict on an event, for its sender. An answer: a duplicate of the event makes it due again. */
export function refusedSignal(row: NewDelivery, source: string, status: number, error: DeliveryError) {
  const { code, message } = error
  // cut before it is made storable: the cut may leave half a surrogate pair
  const data = { status, message: storable(message.slice(0, 2000)), ...(code !== undefined && { code }) }
  return signalOf(RefusedSignal, data, { row, source, isAnswer: true })
}

/** The event is here and at work. */
export function inProgressSignal(row: NewDelivery, source: string) {
  return signalOf(InProgressSignal, {}, { row, source, isAnswer: false })
}

/** The event is handled, and no business answer will come. */
export function receiptSignal(row: NewDelivery, source: string) {
  return signalOf(ReceiptSignal, {}, { row, source, isAnswer: true })
}

function traceOf({ headers }: EventEnvelope): Record<string, string> {
  const { traceparent, tracestate } = headers
  return { ...(traceparent !== undefined && { traceparent }), ...(tracestate !== undefined && { tracestate }) }
}

const SIGNALS = new Map<string, AnyEventContract>(
  [RefusedSignal, InProgressSignal, ReceiptSignal].map(contract => [contract.type, contract])
)

/** The contract of a signal, by its type. */
export const signalContract = (type: string): AnyEventContract | undefined => SIGNALS.get(type)

/**
 * Does what a signal says, at the sender of the event it speaks of. Each is one guarded statement that may be repeated,
 * so signals need no row in the inbox; and one that was lost and comes again still works. One that is not from the source
 * whose answer the event awaits, or that confirms what awaits no receipt, raises an alarm and changes nothing.
 */
export async function applySignal(consumer: Consumer, row: NewDelivery, data: unknown): Promise<void> {
  const { db } = consumer
  const { eventId, ...signal } = data as {
    eventId: string
    consumer: string
    status?: number
    code?: string
    message?: string
  }
  const { source, type } = row
  const receipt = type === ReceiptSignal.type
  const answer = { causationId: eventId, answerId: row.eventId, source, answersType: null, receipt }
  if (receipt) {
    if ((await confirmEvent(db, answer)) !== 'unchanged') return
  } else if (type === InProgressSignal.type) {
    if (await extendDeadline(db, { id: eventId, from: source })) return
  } else {
    const error = `${signal.consumer} refused it: ${[signal.status, signal.code, signal.message].filter(Boolean).join(' ')}`
    const parking = { id: eventId, from: source, reason: 'REFUSED', error: storable(error) } as const
    if (await parkEvent(db, parking)) {
      tellParked(consumer.log, { eventIds: [eventId], reason: parking.reason, error: parking.error })
      return
    }
  }
  const fit = await checkAnswer(db, answer)
  if (fit !== 'foreign' && fit !== 'other') return
  const { code, message } = new UnaskedSignal(type, clip(source), eventId)
  raise(consumer, code, row, message)
}
