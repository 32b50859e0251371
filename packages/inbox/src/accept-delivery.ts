import { type Delivery, isUuid } from '@steadfast/events'
import type { DeliveryError, NewDelivery } from '@steadfast/store'
import { aboutRow, channels } from './channels.ts'
import { asDeliveryError } from './classify.ts'
import { refuse } from './conclude.ts'
import type { Consumer } from './consumer.ts'
import type { Item } from './context.ts'
import { type Decoded, decodeData, decodeDelivery } from './decode-delivery.ts'
import { answerKnown } from './duplicate.ts'
import { Undecodable } from './errors.ts'
import { processItem } from './process-item.ts'
import { applySignal, signalContract } from './signals.ts'
import { handlerFor, isIgnored, leaveFresh } from './unknown.ts'
import { refuseUnstorable } from './unstorable.ts'
import { untilItWorks } from './until-it-works.ts'

/** What became of a delivery. */
export interface Accepted {
  outcome:
    | 'handled'
    | 'duplicate'
    | 'blocked'
    | 'skipped'
    | 'refused'
    | 'set-aside'
    | 'ignored'
    | 'signal'
    | 'abandoned'
  eventId: string
  status?: number
  error?: DeliveryError
}

/** Takes a delivery from the transport to its end. Never rejects; a delivery it could not finish is not done. */
export async function acceptDelivery(consumer: Consumer, delivery: Delivery): Promise<Accepted> {
  let eventId = ''
  try {
    const decoded = decodeDelivery(consumer.name, delivery)
    eventId = decoded.row.eventId
    const accepted = await route(consumer, delivery, decoded)
    if (accepted.outcome !== 'abandoned') {
      const { row } = decoded
      if (channels.deliveryDone.hasSubscribers)
        channels.deliveryDone.publish({ ...aboutRow(row), outcome: accepted.outcome })
      delivery.done()
    }
    return accepted
  } catch (err) {
    if (!consumer.closing.aborted) consumer.log.error({ err, eventId }, 'delivery not done')
    return { outcome: 'abandoned', eventId, error: asDeliveryError(err) }
  }
}

async function route(consumer: Consumer, delivery: Delivery, { row, refusal }: Decoded): Promise<Accepted> {
  const { raw } = delivery
  const refused = (error: Error & { statusCode?: number }) => refuseRaw(consumer, row, raw, error)
  if (refusal !== undefined) return await refused(refusal)
  if (signalContract(row.type) !== undefined) return await takeSignal(consumer, row, raw)
  const handler = handlerFor(consumer, row)
  if (handler instanceof Error) {
    if (isIgnored(consumer, row)) return { outcome: 'ignored', eventId: row.eventId }
    return await leaveFresh(consumer, row, raw, handler)
  }
  let data: unknown
  try {
    data = decodeData(consumer.parseJson, raw)
  } catch (error) {
    return await refused(error as Error)
  }
  const item: Item = { row, raw, data, deliveredAt: delivery.timestamp, handler }
  return await consumer.chains.run(row, () => processItem(consumer, item))
}

async function refuseRaw(
  consumer: Consumer,
  row: NewDelivery,
  raw: Buffer,
  error: Error & { statusCode?: number }
): Promise<Accepted> {
  const status = error.statusCode ?? 400
  const reason = asDeliveryError(error, status)
  const stored = await untilItWorks(
    consumer,
    async () => {
      const isNew = await refuse(consumer, { row, raw }, status, reason)
      if (!isNew) await answerKnown(consumer, row)
      return isNew
    },
    error => refuseUnstorable(consumer, { row, raw }, error)
  )
  return { outcome: stored ? 'refused' : 'duplicate', eventId: row.eventId, status, error: reason }
}

/** Signals of other groups, or on other topics than one's own, speak to somebody else. */
async function takeSignal(consumer: Consumer, row: NewDelivery, raw: Buffer): Promise<Accepted> {
  const contract = signalContract(row.type)
  if (!consumer.isOwn || row.topic !== consumer.host.outbox.replyTo) return { outcome: 'ignored', eventId: row.eventId }
  let data: unknown
  try {
    data = decodeData(consumer.parseJson, raw)
  } catch (error) {
    return await refuseRaw(consumer, row, raw, error as Error)
  }
  const refusal =
    contract?.refusal(data) ?? (isUuid((data as { eventId: string }).eventId) ? undefined : 'eventId is no UUID')
  if (refusal !== undefined) return await refuseRaw(consumer, row, raw, new Undecodable(refusal))
  const outcome = await untilItWorks<'signal' | 'refused'>(
    consumer,
    async () => {
      await applySignal(consumer.db, row.envelope, data)
      return 'signal'
    },
    async error => {
      await refuseUnstorable(consumer, { row, raw }, error)
      return 'refused'
    }
  )
  return { outcome, eventId: row.eventId }
}
