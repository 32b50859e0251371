import { type Delivery, isUuid, placeIdOf } from '@steadfast/events'
import type { NewDelivery } from '@steadfast/store/internal'
import { disbelief, forgery, replyTopicOf } from './believe.ts'
import { aboutRow, channels } from './channels.ts'
import { ALARMS, asDeliveryError, DISBELIEVED } from './classify.ts'
import { type Decoded, decodeData, decodeDelivery } from './decode-delivery.ts'
import { Undecodable } from './errors.ts'
import { processItem } from './process-item.ts'
import { atPlace, type Fresh, refuseFresh } from './refuse-fresh.ts'
import { applySignal, signalContract } from './signals.ts'
import type { Accepted, Consumer, Item } from './types.ts'
import { handlerFor, isIgnored, leaveFresh } from './unknown.ts'
import { refuseUnstorable } from './unstorable.ts'
import { untilItWorks } from './until-it-works.ts'

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

async function route(consumer: Consumer, delivery: Delivery, { row, raw, refusal }: Decoded): Promise<Accepted> {
  const fresh: Fresh = { row, raw, placeId: () => placeIdOf(delivery) }
  if (isTombstone(delivery) && consumer.registry.ignores(row.topic, TOMBSTONE))
    return { outcome: 'ignored', eventId: row.eventId }
  if (refusal !== undefined) return await refuseRaw(consumer, fresh, refusal)
  if (passesBy(consumer, row)) return { outcome: 'ignored', eventId: row.eventId }
  const forged = forgery(consumer, delivery)
  if (forged !== undefined) return await refuseRaw(consumer, fresh, forged)
  if (signalContract(row.type) !== undefined) return await takeSignal(consumer, fresh)
  row.replyTo = replyTopicOf(consumer, row)
  const handler = handlerFor(consumer, row)
  if (handler instanceof Error) return await leaveFresh(consumer, fresh, handler)
  const doubt = disbelief(handler.contract, row)
  if (doubt !== undefined) return await refuseRaw(consumer, fresh, doubt)
  let data: unknown
  try {
    data = decodeData(consumer.parseJson, raw, consumer.options.bigIntegers)
  } catch (error) {
    return await refuseRaw(consumer, fresh, error as Error)
  }
  const item: Item = { ...fresh, data, deliveredAt: delivery.timestamp, handler }
  return await consumer.chains.run(row, () => processItem(consumer, item))
}

/** What `ignoreEvents` calls a message that says of a compacted topic's key that there is nothing any more. */
const TOMBSTONE = 'steadfast.tombstone'
const isTombstone = ({ raw, headers, hasNoValue = true }: Delivery) =>
  hasNoValue && raw.length === 0 && headers.ce_specversion === undefined

/** Signals of other groups, or on other topics than one's own, speak to somebody else; other types may be ignored. */
function passesBy(consumer: Consumer, row: NewDelivery): boolean {
  if (signalContract(row.type) !== undefined) return !consumer.isOwn || row.topic !== consumer.host.outbox.replyTo
  return isIgnored(consumer, row)
}

async function refuseRaw(
  consumer: Consumer,
  fresh: Fresh,
  error: Error & { statusCode?: number; code?: string }
): Promise<Accepted> {
  const status = error.statusCode ?? 400
  const reason = asDeliveryError(error, status)
  const alarm = ALARMS.has(error.code ?? '') ? error.code : undefined
  const own = DISBELIEVED.has(error.code ?? '') ? atPlace(fresh) : fresh
  const stored = await untilItWorks(
    consumer,
    () => refuseFresh(consumer, own, { status, error: reason, alarm }),
    error => refuseUnstorable(consumer, own, error)
  )
  return { outcome: stored ? 'refused' : 'duplicate', eventId: own.row.eventId, status, error: reason }
}

async function takeSignal(consumer: Consumer, fresh: Fresh): Promise<Accepted> {
  const { row, raw } = fresh
  const contract = signalContract(row.type)
  let data: unknown
  try {
    data = decodeData(consumer.parseJson, raw)
  } catch (error) {
    return await refuseRaw(consumer, fresh, error as Error)
  }
  const refusal =
    contract?.refusal(data) ?? (isUuid((data as { eventId: string }).eventId) ? undefined : 'eventId is no UUID')
  if (refusal !== undefined) return await refuseRaw(consumer, fresh, new Undecodable(refusal))
  const outcome = await untilItWorks<'signal' | 'refused'>(
    consumer,
    async () => {
      await applySignal(consumer, row, data)
      return 'signal'
    },
    async error => {
      await refuseUnstorable(consumer, fresh, error)
      return 'refused'
    }
  )
  return { outcome, eventId: row.eventId }
}
