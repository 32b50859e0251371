import { type Delivery, decodeEnvelope, type EventEnvelope, encodeEvent } from '@steadfast/events'
import fc from 'fast-check'
import Fastify from 'fastify'
import { decodeData, decodeDelivery, jsonParser } from '../../../../inbox/src/decode-delivery.ts'
import { createAssignment } from '../../../../transport-kafka/src/assignment.ts'
import { decodeHeaders, encodeHeaders } from '../../../../transport-postgres/src/headers.ts'
import { startWatch } from '../watch.ts'
import { CONTRACTS, TOPIC } from './contracts.ts'
import { describeRecord, giants, type WireRecord, wireRecord } from './records.ts'

const SLOW_MS = 10_000

class Broken extends Error {}

function hold(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Broken(what)
}

function deliveryOf(record: WireRecord): Delivery {
  const assignment = createAssignment({ [TOPIC]: [0] }, () => {})
  const { key, value } = record
  const headers = record.headers.map(([name, part]) => [Buffer.from(name), part] as const)
  return assignment.handOut(TOPIC, 0, { offset: 7n, timestamp: 0n, key, value, headers }, 8n)
}

/** What the log on PostgreSQL keeps of headers is what it was given. */
function checkStoredHeaders(headers: Record<string, Buffer>): void {
  const back = decodeHeaders(encodeHeaders(headers))
  hold(Object.keys(back).length === Object.keys(headers).length, 'transport-postgres loses a header')
  for (const [name, value] of Object.entries(headers)) {
    const same = Object.hasOwn(back, name) && back[name]?.equals(value)
    hold(same === true, `transport-postgres changes the header ${JSON.stringify(name)}`)
  }
}

/** The attributes that an encoder writes from a row; the others are the sender's. */
const lasting = ({ id, time: _, sequence: __, key: ___, attributes: ____, ...rest }: EventEnvelope) =>
  // An id that was made here of a foreign one is itself a foreign one to whoever reads it.
  JSON.stringify({ ...rest, ...(id[14] !== '8' && { id }) }, Object.keys({ ...rest, id }).sort())

/** An event that was read is written as it was read: the attributes, and the data byte by byte. */
function checkRoundTrip(envelope: EventEnvelope, key: string, raw: Buffer): void {
  const own = Object.entries(envelope.attributes ?? {}).map(([name, value]) => [`ce_${name}`, value])
  const { headers, value } = encodeEvent({
    id: envelope.id,
    seq: '1',
    source: envelope.source,
    type: envelope.type,
    topic: TOPIC,
    key,
    dataVersion: envelope.dataVersion ?? null,
    payload: raw.toString('utf8'),
    headers: { ...envelope.headers, ...Object.fromEntries(own) },
    replyTo: envelope.replyTo ?? null,
    causationId: envelope.causationId ?? null,
    correlationId: envelope.correlationId ?? null,
    createdAt: new Date(0),
    count: envelope.attempt - 1,
    replay: envelope.replay
  })
  hold(value.equals(raw), 'the encoder writes other data than were read')
  const again = decodeEnvelope({ headers, key: Buffer.from(key) })
  hold(lasting(again) === lasting(envelope), `read again it is ${lasting(again)}, not ${lasting(envelope)}`)
  hold(JSON.stringify(again.headers) === JSON.stringify(envelope.headers), 'read again it has other headers')
  // An encoder writes a time and a sequence of its own over what was none.
  const attributes = ({ attributes: { time: _, sequence: __, ...others } = {} }: EventEnvelope) =>
    JSON.stringify(Object.entries(others).sort())
  hold(attributes(again) === attributes(envelope), `read again it has the attributes ${attributes(again)}`)
}

function checkRow(row: ReturnType<typeof decodeDelivery>['row']): void {
  hold(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(row.eventId), `${row.eventId} is no UUID`)
  const { attempt } = row.envelope
  hold(Number.isSafeInteger(attempt) && attempt >= 1, `attempt is ${attempt}`)
  hold(row.key !== '' && Buffer.byteLength(row.key) <= 1000, 'the key does not fit an index')
  // Neither can stand in a text of PostgreSQL.
  const stored = JSON.stringify(row)
  hold(!stored.includes('\\u0000') && !/\\ud[89a-f]/.test(stored.replaceAll('\\\\', '')), 'the row cannot be stored')
}

const codeOf = (error: unknown) => String((error as { code?: unknown }).code)

function refusedBy(error: unknown): 'refused' {
  hold(/^SF_/.test(codeOf(error)), `thrown without a code of its own: ${(error as Error)?.stack ?? error}`)
  return 'refused'
}

/** Reads a record as the inbox does. @throws Broken */
function readRecord(record: WireRecord, parse: (text: string) => unknown): 'event' | 'refused' {
  const delivery = deliveryOf(record)
  // One without a value is none.
  const names = new Set(record.headers.flatMap(([name, part]) => (part === null ? [] : [name])))
  hold(Object.keys(delivery.headers).length === names.size, 'transport-kafka loses a header')
  checkStoredHeaders(delivery.headers)
  const { row, raw, refusal } = decodeDelivery('fuzz', delivery)
  checkRow(row)
  if (refusal !== undefined) return refusedBy(refusal)
  let data: unknown
  try {
    data = decodeData(parse, raw)
  } catch (error) {
    return refusedBy(error)
  }
  checkRoundTrip(row.envelope, row.key, raw)
  const wrong = CONTRACTS.get(row.type)?.refusal(data)
  hold(wrong === undefined || (typeof wrong === 'string' && wrong !== ''), 'a contract refuses without a word')
  return wrong === undefined ? 'event' : 'refused'
}

/** Feeds the decoder, without a server or a database around it. */
export async function fuzzDecoder(options: {
  seed: number
  count: number
  log(line: string): void
}): Promise<string[]> {
  const { seed, count, log } = options
  const begun = performance.now()
  const watch = startWatch()
  const fastify = Fastify()
  const parse = jsonParser(fastify)
  const tally = { event: 0, refused: 0 }
  const violations: string[] = []

  function check(record: WireRecord): void {
    const from = performance.now()
    tally[readRecord(record, parse)]++
    const took = performance.now() - from
    hold(took < SLOW_MS, `it took ${Math.round(took)} ms`)
    const [trouble] = watch.take()
    hold(trouble === undefined, trouble ?? '')
  }

  const { failed, counterexample, counterexamplePath, errorInstance } = fc.check(fc.property(wireRecord, check), {
    seed,
    numRuns: count
  })
  if (failed) {
    const fed = counterexample ? describeRecord(counterexample[0]) : ''
    violations.push(
      `decoder: ${story(errorInstance)}\n  fed: ${fed}\n  again: seed ${seed}, path ${counterexamplePath}`
    )
  }
  for (const [what, record] of giants(10_000_000)) {
    try {
      check(record)
    } catch (error) {
      violations.push(`decoder: ${story(error)}\n  fed: ${what}: ${describeRecord(record)}`)
    }
  }
  await fastify.close()
  violations.push(...watch.take())
  watch.end()
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  log(`decoder: ${tally.event} events and ${tally.refused} refusals of ${count} records, ${seconds} s`)
  return violations
}

const story = (error: unknown) => (error instanceof Broken ? error.message : ((error as Error)?.stack ?? String(error)))
