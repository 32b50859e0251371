import {
  type Db,
  type DeliveryError,
  holdDelivery,
  type NewDelivery,
  type ParkedMessage,
  parkEvent,
  refuseDelivery,
  storeOn,
  tellParked
} from '@steadfast/store/internal'
import { raise } from './alarm.ts'
import { clip } from './believe.ts'
import { aboutRow, channels } from './channels.ts'
import { ALARMS, DISBELIEVED } from './classify.ts'
import { isUnanswered } from './context.ts'
import { refusedSignal } from './signals.ts'
import type { Consumer } from './types.ts'

/** Why a delivery is refused. `alarm`: a code of what a person must see. */
export interface Verdict {
  status: number
  error: DeliveryError
  alarm?: string | undefined
  /** Only if the patience with a delivery that this process does not know is over. Default false. */
  expired?: boolean
}

/**
 * Stores a verdict in a transaction of its own, and in the same one tells the asker, and parks the request that a
 * refused answer belongs to. What tells this service of its own unanswered request is held instead: nobody else would
 * hear of the refusal.
 *
 * @returns false when the delivery is finished already, or another event has its id
 */
export async function refuse(
  consumer: Consumer,
  { row, raw }: { row: NewDelivery; raw: Buffer },
  { status, error, alarm, expired = false }: Verdict
): Promise<boolean> {
  if (isUnanswered(row)) return await hold(consumer, row, { status, error })
  const { host, schema } = consumer
  let parked: ParkedMessage | undefined
  const stored = await host.outbox.transaction(async tx => {
    if (!(await refuseDelivery(storeOn(tx, schema), row, { body: raw, outcome: status, error, expired }))) return false
    if (DISBELIEVED.has(error.code ?? '')) return true
    const signal = signalsTo(consumer, row) ? refusedSignal(row, host.outbox.source, status, error) : undefined
    if (signal !== undefined) await host.outbox.control(tx).write(signal)
    parked = await parkAnswered(consumer, storeOn(tx, consumer.schema), row, 'ANSWER_REFUSED', error)
    return true
  })
  if (!stored) return false
  if (parked !== undefined) tellParked(consumer.log, parked)
  if (channels.refused.hasSubscribers) channels.refused.publish({ ...aboutRow(row), status, error })
  if (alarm !== undefined) raise(consumer, alarm, row, error.message)
  else {
    const { write, omitted } = consumer.refusalLines(row.source)
    const about = {
      eventId: row.eventId,
      type: clip(row.type),
      status,
      code: error.code,
      ...(omitted > 0 && { omitted })
    }
    if (write) consumer.log.warn(about, `refused: ${error.message}`)
  }
  return true
}

/**
 * Gives a delivery up to a person; its request, if it is an answer, is parked with a link to it. `attempts`: of its
 * handler, if it was run.
 *
 * @returns false when the delivery is finished already
 */
export async function hold(
  consumer: Consumer,
  row: NewDelivery,
  { status, error, attempts }: Verdict & { attempts?: number }
): Promise<boolean> {
  const { eventId } = row
  let parked: ParkedMessage | undefined
  const stored = await consumer.host.outbox.transaction(async tx => {
    const held = { consumer: consumer.name, eventId, attempts, outcome: status, error }
    if (!(await holdDelivery(storeOn(tx, consumer.schema), held))) return false
    parked = await parkAnswered(consumer, storeOn(tx, consumer.schema), row, 'ANSWER_HELD', error)
    return true
  })
  if (!stored) return false
  if (parked !== undefined) tellParked(consumer.log, parked)
  if (channels.held.hasSubscribers) channels.held.publish({ ...aboutRow(row), attempts, error })
  consumer.log.error({ eventId, type: row.type, key: row.key, attempts, err: error }, 'held: waits for a person')
  return true
}

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
