import { type Delivery, decodeEnvelope, type EventEnvelope, positionIdOf } from '@steadfast/events'
import type { DeliveryError, NewDelivery } from '@steadfast/store'
import { aboutRow, channels } from './channels.ts'
import { asDeliveryError } from './classify.ts'
import { refuse } from './conclude.ts'
import type { Consumer } from './consumer.ts'
import type { Item } from './context.ts'
import { answerKnown } from './duplicate.ts'
import { Undecodable, UnknownType } from './errors.ts'
import { processItem } from './process-item.ts'
import { applySignal, signalContract } from './signals.ts'
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
    const decoded = decode(consumer, delivery)
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

const isUuid = (text: string) => /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)

interface Decoded {
  row: NewDelivery
  /** Why it is no event. */
  refusal?: Error
}

function decode(consumer: Consumer, delivery: Delivery): Decoded {
  try {
    const envelope = decodeEnvelope(delivery)
    return { row: rowOf(consumer.name, delivery, envelope) }
  } catch (error) {
    const text = (name: string) => delivery.headers[name]?.toString('utf8').replaceAll('\u0000', '') ?? ''
    const envelope: EventEnvelope = {
      id: positionIdOf(delivery.topic, delivery.position),
      source: text('ce_source'),
      type: text('ce_type'),
      attempt: 1,
      replay: false,
      headers: Object.fromEntries(
        Object.keys(delivery.headers).map(name => [name.replaceAll('\u0000', ''), text(name)])
      )
    }
    return { row: rowOf(consumer.name, delivery, envelope), refusal: error as Error }
  }
}

function rowOf(consumer: string, delivery: Delivery, envelope: EventEnvelope): NewDelivery {
  const { id, source, type, causationId } = envelope
  return {
    consumer,
    eventId: id,
    key: keyOf(envelope.key, id),
    topic: delivery.topic,
    position: delivery.position,
    source,
    type,
    replyTo: envelope.replyTo ?? null,
    causationId: causationId !== undefined && isUuid(causationId) ? causationId : null,
    correlationId: envelope.correlationId ?? null,
    envelope
  }
}

/** An index entry holds some 2,700 bytes: a key that is longer waits under a hash of itself. */
function keyOf(key: string | undefined, id: string): string {
  if (key === undefined || key === '') return id
  return Buffer.byteLength(key) > 1000 ? positionIdOf('key', key) : key
}

async function route(consumer: Consumer, delivery: Delivery, { row, refusal }: Decoded): Promise<Accepted> {
  const { raw } = delivery
  const refused = (error: Error & { statusCode?: number }) => refuseRaw(consumer, row, raw, error)
  if (refusal !== undefined) return await refused(refusal)
  if (signalContract(row.type) !== undefined) return await takeSignal(consumer, row, raw)
  const handler = consumer.registry.find(consumer.name, row.type)
  if (handler === undefined) {
    if (consumer.registry.ignores(delivery.topic, row.type)) return { outcome: 'ignored', eventId: row.eventId }
    return await refused(new UnknownType(row.type))
  }
  let data: unknown
  try {
    data = consumer.parseJson(raw.toString('utf8'))
  } catch (error) {
    return await refused(new Undecodable((error as Error).message))
  }
  const item: Item = { row, raw, data, deliveredAt: delivery.timestamp, handler }
  return await consumer.chains.run(row.key, () => processItem(consumer, item))
}

async function refuseRaw(
  consumer: Consumer,
  row: NewDelivery,
  raw: Buffer,
  error: Error & { statusCode?: number }
): Promise<Accepted> {
  const status = error.statusCode ?? 400
  const reason = asDeliveryError(error, status)
  const stored = await untilItWorks(consumer, async () => {
    const isNew = await refuse(consumer, { row, raw }, status, reason)
    if (!isNew) await answerKnown(consumer, row)
    return isNew
  })
  return { outcome: stored ? 'refused' : 'duplicate', eventId: row.eventId, status, error: reason }
}

/** Signals of other groups, or on other topics than one's own, speak to somebody else. */
async function takeSignal(consumer: Consumer, row: NewDelivery, raw: Buffer): Promise<Accepted> {
  const contract = signalContract(row.type)
  if (!consumer.isOwn || row.topic !== consumer.host.outbox.replyTo) return { outcome: 'ignored', eventId: row.eventId }
  let data: unknown
  try {
    data = consumer.parseJson(raw.toString('utf8'))
  } catch (error) {
    return await refuseRaw(consumer, row, raw, new Undecodable((error as Error).message))
  }
  const refusal =
    contract?.refusal(data) ?? (isUuid((data as { eventId: string }).eventId) ? undefined : 'eventId is no UUID')
  if (refusal !== undefined) return await refuseRaw(consumer, row, raw, new Undecodable(refusal))
  await untilItWorks(consumer, () => applySignal(consumer.db, row.envelope, data))
  return { outcome: 'signal', eventId: row.eventId }
}
