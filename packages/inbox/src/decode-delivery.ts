import { isUtf8 } from 'node:buffer'
import {
  type Delivery,
  decodeEnvelope,
  type EventEnvelope,
  inBinaryMode,
  isUuid,
  keyBytesOf,
  keyIdOf,
  placeIdOf,
  textOf
} from '@steadfast/events'
import type { NewDelivery } from '@steadfast/store/internal'
import type { FastifyInstance } from 'fastify'
import { NumberInexact, Undecodable } from './errors.ts'

// Of what is no event, so much of the headers is kept for a person. The body is kept whole.
const HEADERS_MAX = 100
const TEXT_MAX = 1024
const clip = (text: string) => text.slice(0, TEXT_MAX)

/** What a delivery says of itself. */
export interface Decoded {
  row: NewDelivery
  /** The data; of what is no event, the whole. */
  raw: Buffer
  /** Why it is no event. */
  refusal?: Error
}

/** Reads everything but the data. What is no event has a row nonetheless, under an id made of its place in the log and its bytes. */
export function decodeDelivery(consumer: string, delivery: Delivery): Decoded {
  try {
    const binary = inBinaryMode(delivery)
    const envelope = decodeEnvelope(binary)
    return { row: rowOf(consumer, binary, envelope, orderOf(keyBytesOf(binary), envelope.id)), raw: binary.raw }
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
    return { row: rowOf(consumer, delivery, envelope, envelope.id), raw: delivery.raw, refusal: error as Error }
  }
}

/** What becomes of integers beyond 2^53, which a number of JavaScript cannot hold: the event is refused, or they are BigInts. */
export type BigIntegers = 'refuse' | 'bigint'

/**
 * Reads the data of an event: `null` where there are none. `parse` is Fastify's own parser of JSON.
 *
 * @throws SF_INBOX_UNDECODABLE, SF_INBOX_NUMBER_INEXACT
 */
export function decodeData(
  parse: (text: string) => unknown,
  raw: Buffer,
  bigIntegers: BigIntegers = 'refuse'
): unknown {
  if (raw.length === 0) return null
  // A decoder would put U+FFFD in the place of what is none, and the handler would work on other data than were sent.
  if (!isUtf8(raw)) throw new Undecodable('the data are not UTF-8')
  const text = raw.toString('utf8')
  try {
    const data = parse(text)
    return LONG_NUMBER.test(text) ? exactly(text, bigIntegers) : data
  } catch (error) {
    // What is nested deeply a parser without recursion reads, and this way of reading numbers does not.
    throw error instanceof NumberInexact ? error : new Undecodable((error as Error).message)
  }
}

/** What no shorter number can do: be beyond 2^53, or beyond what a double holds. */
const LONG_NUMBER = /\d{16}|[eE]\+?\d{3}/

function exactly(text: string, bigIntegers: BigIntegers): unknown {
  let inexact: string | undefined
  const revive = (_name: string, value: unknown, { source = '' }: { source?: string } = {}) => {
    if (typeof value !== 'number') return value
    const isExact = Number.isFinite(value) && (Number.isSafeInteger(value) || !/^-?\d+$/.test(source))
    if (isExact) return value
    if (bigIntegers === 'bigint' && Number.isFinite(value)) return BigInt(source)
    inexact ??= source
    return value
  }
  const data = JSON.parse(text, revive as (name: string, value: unknown) => unknown)
  if (inexact !== undefined) throw new NumberInexact(inexact.slice(0, 40))
  return data
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
