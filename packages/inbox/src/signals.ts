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
  confirmEvent,
  type Db,
  type DeliveryError,
  extendDeadline,
  type NewDelivery,
  parkEvent
} from '@steadfast/store'
import { storable } from './classify.ts'

const TOPIC = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/

/** Makes a signal about a delivery: for the `replyto` topic of its envelope, keyed as the event itself. */
function signalOf(
  contract: AnyEventContract,
  data: Record<string, unknown>,
  to: { row: NewDelivery; source: string; isAnswer: boolean }
): NewEvent | undefined {
  const { row } = to
  if (row.replyTo === null || !TOPIC.test(row.replyTo)) return undefined
  const signal = buildEvent(contract, { eventId: row.eventId, consumer: row.consumer, ...data }, { source: to.source })
  const key = row.envelope.key ?? row.eventId
  return {
    ...signal,
    topic: row.replyTo,
    key,
    lane: laneOf(key),
    causationId: row.eventId,
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
 * so signals need no row in the inbox; and one that was lost and comes again still works.
 */
export async function applySignal(db: Db, envelope: EventEnvelope, data: unknown): Promise<void> {
  const { eventId, ...signal } = data as {
    eventId: string
    consumer: string
    status?: number
    code?: string
    message?: string
  }
  const from = envelope.source
  if (envelope.type === InProgressSignal.type) await extendDeadline(db, { id: eventId, from })
  else if (envelope.type === ReceiptSignal.type)
    await confirmEvent(db, { causationId: eventId, answerId: envelope.id, source: from, answersType: null })
  else {
    const error = `${signal.consumer} refused it: ${[signal.status, signal.code, signal.message].filter(Boolean).join(' ')}`
    await parkEvent(db, { id: eventId, from, reason: 'REFUSED', error: storable(error) })
  }
}
