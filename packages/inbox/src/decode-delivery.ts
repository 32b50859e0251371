import { isUtf8 } from 'node:buffer'
import {
  type Delivery,
  decodeEnvelope,
  type EventEnvelope,
  isUuid,
  keyBytesOf,
  keyIdOf,
  placeIdOf,
  textOf
} from '@steadfast/events'
import type { NewDelivery } from '@steadfast/store'
import type { FastifyInstance } from 'fastify'
import { Undecodable } from './errors.ts'

// Of what is no event, so much of the headers is kept for a person. The body is kept whole.
const HEADERS_MAX = 100
const TEXT_MAX = 1024
const clip = (text: string) => text.slice(0, TEXT_MAX)

/** What a delivery says of itself. */
export interface Decoded {
  row: NewDelivery
  /** Why it is no event. */
  refusal?: Error
}

/** Reads everything but the data. What is no event has a row nonetheless, under an id made of its place in the log and its bytes. */
export function decodeDelivery(consumer: string, delivery: Delivery): Decoded {
  try {
    const envelope = decodeEnvelope(delivery)
    return { row: rowOf(consumer, delivery, envelope, orderOf(keyBytesOf(delivery), envelope.id)) }
  } catch (error) {
    const text = (name: string) => clip(delivery.headers[name]?.toString('utf8').replaceAll('\u0000', '') ?? '')
    const envelope: EventEnvelope = {
      id: placeIdOf(delivery),
      source: text('ce_source'),
      type: text('ce_type'),
      attempt: 1,
      replay: false,
      headers: Object.fromEntries(
        Object.keys(delivery.headers)
          .slice(0, HEADERS_MAX)
          .map(name => [clip(name.replaceAll('\u0000', '')), text(name)])
      )
    }
    return { row: rowOf(consumer, delivery, envelope, envelope.id), refusal: error as Error }
  }
}

/**
 * Reads the data of an event. `parse` is Fastify's own parser of JSON.
 *
 * @throws SF_INBOX_UNDECODABLE
 */
export function decodeData(parse: (text: string) => unknown, raw: Buffer): unknown {
  // A decoder would put U+FFFD in the place of what is none, and the handler would work on other data than were sent.
  if (!isUtf8(raw)) throw new Undecodable('the data are not UTF-8')
  try {
    return parse(raw.toString('utf8'))
  } catch (error) {
    throw new Undecodable((error as Error).message)
  }
}

/** Fastify's own parser of JSON, which refuses `__proto__`; synchronous, although it answers by callback. */
export function jsonParser(fastify: Pick<FastifyInstance, 'getDefaultJsonParser'>): (text: string) => unknown {
  const parse = fastify.getDefaultJsonParser('error', 'error') as (
    request: unknown,
    body: string,
    done: (error: Error | null, body?: unknown) => void
  ) => void
  return text => {
    let failure: Error | null | undefined
    let data: unknown
    parse(undefined, text, (error, body) => {
      failure = error
      data = body
    })
    if (failure) throw failure
    return data
  }
}

function rowOf(consumer: string, delivery: Delivery, envelope: EventEnvelope, key: string): NewDelivery {
  const { id, source, type, causationId } = envelope
  return {
    consumer,
    eventId: id,
    key,
    topic: delivery.topic,
    position: delivery.position,
    source,
    type,
    replyTo: envelope.replyTo ?? null,
    causationId: causationId !== undefined && isUuid(causationId) ? causationId : null,
    correlationId: envelope.correlationId ?? null,
    envelope,
    loggedAt: believable(delivery.timestamp)
  }
}

/** A producer may have set it, and PostgreSQL cannot hold every Date. */
function believable(time: Date): Date | undefined {
  const ms = time.getTime()
  return ms >= 0 && ms < 253_402_300_800_000 ? time : undefined
}

/**
 * What stands in line for a key. An index entry holds some 2,700 bytes: a key that is longer waits under a hash of itself,
 * as does one whose bytes are no text.
 */
function orderOf(key: Buffer | undefined, id: string): string {
  if (key === undefined) return id
  const text = key.length > 1000 ? undefined : textOf(key)
  return text ?? keyIdOf(key)
}
