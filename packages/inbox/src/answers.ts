import { type Db, type DeliveryError, type NewDelivery, type ParkedMessage, parkEvent } from '@steadfast/store/internal'
import { ALARMS } from './delivery-error.ts'
import type { Consumer } from './types.ts'

/** Whether the sender of an event hears of it from this group: only from the one whose answer it awaits. */
export function signalsTo(consumer: Consumer, row: NewDelivery): boolean {
  if (!consumer.isOwn || row.replyTo === null) return false
  return consumer.registry.find(consumer.name, row.type)?.contract.awaits?.from === consumer.host.outbox.source
}

/** The type of this service's own event that a delivery answers, if it does. */
export function answeredBy(consumer: Consumer, row: NewDelivery): string | undefined {
  if (!consumer.isOwn || row.causationId === null) return undefined
  const type = consumer.registry.find(consumer.name, row.type)?.contract.answers?.type
  return type !== undefined && consumer.host.outbox.sends(type) ? type : undefined
}

/**
 * Parks the request that an answer belongs to, with a link to the answer. Of other deliveries: nothing.
 *
 * @returns what is to be told when it is committed, if the request was parked
 */
export async function parkAnswered(
  consumer: Consumer,
  db: Db,
  row: NewDelivery,
  reason: 'ANSWER_REFUSED' | 'ANSWER_HELD',
  { message, code }: DeliveryError
): Promise<ParkedMessage | undefined> {
  if (answeredBy(consumer, row) === undefined || row.causationId === null || ALARMS.has(code ?? '')) return undefined
  const what = reason === 'ANSWER_REFUSED' ? 'was refused' : 'is held'
  const id = row.causationId
  const told = `its answer ${row.eventId} ${what} here: ${message}`
  const parking = { id, from: row.source, reason, error: told, confirmedBy: row.eventId }
  return (await parkEvent(db, parking)) ? { eventIds: [id], reason, error: told } : undefined
}
