import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { validate as isUuid } from 'uuid'
import { Undecodable } from './errors.ts'
import type { Delivery, Outgoing } from './transport.ts'

/** What a consumer knows of an event beside its data: the attributes of CloudEvents 1.0 and its extensions. */
export interface EventEnvelope {
  /** UUID. Of a foreign producer's id that is none: derived from its source and id. */
  id: string
  source: string
  type: string
  /** When the event was stated, RFC 3339. */
  time?: string
  /** Absent where the producer set none, and where its bytes are no text that PostgreSQL can hold. */
  key?: string
  /** Position in the sender's outbox, as decimal digits of one length; compare as text or BigInt within one source. */
  sequence?: string
  dataVersion?: string
  /** The event this one answers or was caused by. */
  causationId?: string
  correlationId?: string
  /** The answer in whose place this one comes: its handler had a bug, and a replay has corrected it. */
  supersedes?: string
  /** Where the sender wants signals; present exactly when it awaits an answer. */
  replyTo?: string
  /** 1 for the first send. */
  attempt: number
  /** The message repeats a stored answer, or an operator replays it. */
  replay: boolean
  /** Plain headers: trace context and the sender's own, without those whose value is no text in UTF-8. */
  headers: Record<string, string>
  /**
   * What else the event says of itself: `subject` where it is not the key, `dataschema`, extensions; and, under its name of
   * CloudEvents, a member of this envelope whose value is not of its form, e.g. a `time` that is no time. Absent where it
   * says nothing.
   */
  attributes?: Record<string, string>
}

/** The columns of an outbox row that travel. */
export interface SendableEvent {
  id: string
  seq: string
  source: string
  type: string
  topic: string
  key: string
  dataVersion: string | null
  payload: string
  headers: Record<string, string>
  replyTo: string | null
  causationId: string | null
  correlationId: string | null
  /** The answer in whose place it comes. */
  supersedes?: string | null
  createdAt: Date
  count: number
  replay: boolean
}

const SEQUENCE_DIGITS = 19

/** Makes the message of an outbox row: CloudEvents 1.0, Kafka protocol binding, binary content mode. */
export function encodeEvent(event: SendableEvent): Outgoing {
  const headers: Record<string, Buffer> = {}
  const set = (name: string, value: string | null) => {
    if (value !== null) headers[name] = Buffer.from(value)
  }
  for (const [name, value] of Object.entries(event.headers)) set(name, value)
  set('ce_specversion', '1.0')
  set('ce_id', event.id)
  set('ce_source', event.source)
  set('ce_type', event.type)
  set('ce_time', event.createdAt.toISOString())
  if (event.headers.ce_subject === undefined) set('ce_subject', event.key)
  set('ce_partitionkey', event.key)
  set('ce_sequence', event.seq.padStart(SEQUENCE_DIGITS, '0'))
  set('ce_causationid', event.causationId)
  set('ce_correlationid', event.correlationId)
  set('ce_replyto', event.replyTo)
  set('ce_supersedes', event.supersedes ?? null)
  set('ce_dataversion', event.dataVersion)
  set('ce_attempt', String(event.count + 1))
  if (event.replay) set('ce_replay', 'true')
  set('content-type', 'application/json')
  return { topic: event.topic, key: event.key, headers, value: Buffer.from(event.payload) }
}

/** The bytes that say whose order an event keeps: its `ce_partitionkey`, else the key of its message. */
export function keyBytesOf({ headers, key }: Pick<Delivery, 'headers' | 'key'>): Buffer | undefined {
  const bytes = headers.ce_partitionkey ?? key
  return bytes?.length ? bytes : undefined
}

/** Bytes as a text that PostgreSQL can hold; `undefined` where they are none. Distinct bytes make distinct texts. */
export function textOf(bytes: Buffer): string | undefined {
  return isUtf8(bytes) && !bytes.includes(0) ? bytes.toString('utf8') : undefined
}

/**
 * Reads the envelope of a delivery. The data stay bytes: whether they are JSON is the server's to find out.
 *
 * @throws SF_EVENTS_UNDECODABLE
 */
export function decodeEnvelope(delivery: Pick<Delivery, 'headers' | 'key'>): EventEnvelope {
  const text = (name: string) => {
    const bytes = delivery.headers[name]
    return bytes && textOf(bytes)
  }
  const required = (name: string) => {
    const bytes = delivery.headers[`ce_${name}`]
    if (bytes === undefined || bytes.length === 0) throw new Undecodable(`no ${name}`)
    if (bytes.length > ATTRIBUTE_BYTES) throw new Undecodable(`${name} has more than ${ATTRIBUTE_BYTES} bytes`)
    const value = textOf(bytes)
    // Replacement characters would make one of two.
    if (value === undefined) throw new Undecodable(`${name} is no text in UTF-8, or has a NUL`)
    return value
  }
  const version = text('ce_specversion')
  if (version !== '1.0') throw new Undecodable(version === undefined ? 'no specversion' : 'specversion is not 1.0')
  const id = required('id')
  const source = required('source')
  const contentType = text('content-type')
  if (contentType !== undefined && !JSON_TYPE.test(contentType)) throw new Undecodable('content-type is not JSON')
  const key = keyBytesOf(delivery)
  const optional = {
    time: timeOf(text('ce_time')),
    key: key && textOf(key),
    sequence: textIf(DIGITS, text('ce_sequence')),
    dataVersion: textIf(SHORT, text('ce_dataversion')),
    causationId: textIf(SHORT, text('ce_causationid')),
    correlationId: textIf(SHORT, text('ce_correlationid')),
    replyTo: textIf(SHORT, text('ce_replyto'))
  }
  const present = Object.fromEntries(Object.entries(optional).filter(([, v]) => v !== undefined && v !== ''))
  const supersedes = text('ce_supersedes')
  if (supersedes !== undefined && isUuid(supersedes)) present.supersedes = supersedes.toLowerCase()
  const attributes = attributesOf(delivery.headers, present)
  return {
    id: eventIdOf(source, id),
    source,
    type: required('type'),
    ...present,
    attempt: attemptOf(text('ce_attempt')),
    replay: text('ce_replay') === 'true',
    headers: withTrace(plainHeaders(delivery.headers), attributes),
    ...(attributes && { attributes })
  }
}

// Of a foreign producer each may be anything. An optional attribute that is not of its form is not taken for what it says,
// since handlers compute with them, and they stand in tables and lines of logs; it is found among `attributes` instead.
export const ATTRIBUTE_BYTES = 1024
/** The content types of data that are JSON. */
export const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i
const DIGITS = /^\d{1,19}$/
const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/
const SHORT = /^.{1,255}$/s

const textIf = (form: RegExp, text: string | undefined) => (text !== undefined && form.test(text) ? text : undefined)

/** A time that there is: not the 30th of February. The second 60 is one, and no other reader of it. */
function timeOf(text: string | undefined): string | undefined {
  const time = textIf(RFC_3339, text)
  if (time === undefined) return undefined
  const [date, hours, minutes, seconds] = [
    time.slice(0, 10),
    time.slice(11, 13),
    time.slice(14, 16),
    time.slice(17, 19)
  ]
  const day = new Date(`${date}T00:00:00Z`)
  const isDay = !Number.isNaN(day.getTime()) && day.toISOString().startsWith(date)
  return isDay && Number(hours) < 24 && Number(minutes) < 60 && Number(seconds) <= 60 ? time : undefined
}

function attemptOf(text = ''): number {
  return /^\d{1,15}$/.test(text) ? Math.max(1, Number(text)) : 1
}

/**
 * The UUID under which an event is known here: its own id, or for a foreign id a hash (UUID v8) of source and id. A UUID
 * v8 is taken for a foreign id too, so that nobody can send an event under a hash that stands for another one.
 */
export function eventIdOf(source: string, id: string): string {
  if (isUuid(id) && id[14] !== '8') return id.toLowerCase()
  return hashedId([`${source}\n${id}`])
}

/**
 * The UUID v8 under which an event is known where its own id is taken: by an event of another source, or by one that
 * nobody has vouched for. A hash of all that makes it another event.
 */
export function fullIdOf(event: { source: string; eventId: string; type: string; topic: string }): string {
  return hashedId(['event', event.source, event.eventId, event.type, event.topic].map(framed))
}

/** A UUID in the place of a key that is no text or too long for an index, so that distinct keys stay distinct. */
export function keyIdOf(key: Buffer): string {
  return hashedId([Buffer.from('key\n'), key, Buffer.from('\n')])
}

/**
 * A UUID v8 for a message whose own id counts for nothing: from where it stands in the log and from its bytes, so that it
 * is the same each time, and another message's at the same place of a topic that was made anew is another one.
 */
export function placeIdOf({ topic, position, key, headers, raw }: Omit<Delivery, 'timestamp' | 'done'>): string {
  const names = Object.keys(headers).sort()
  const parts = [topic, position, key ?? '', ...names.flatMap(name => [name, headers[name] ?? '']), raw]
  return hashedId(['place', ...parts].map(framed))
}

/** Two lists of parts are never one text: each part has its length before it. */
const framed = (part: string | Uint8Array): Buffer => {
  const bytes = Buffer.from(part as string)
  return Buffer.concat([Buffer.from(`${bytes.length}:`), bytes])
}

function hashedId(parts: readonly (string | Buffer)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  const bytes = hash.digest().subarray(0, 16)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

const ATTRIBUTES_MAX = 64
/** Attributes that have a member of their own in the envelope, or none: what Steadfast says of a message. */
const KNOWN = new Set(
  `specversion id source type time partitionkey sequence causationid correlationid replyto dataversion supersedes attempt replay
   signature signaturekeyid`.split(/\s+/)
)
const ATTRIBUTE = /^ce_([a-z0-9]{1,64})$/

/** Whether a name may be that of an attribute. */
export const isAttribute = (name: string): boolean => ATTRIBUTE.test(`ce_${name}`)

/** Whether a name is free for an attribute of the sender's own: `subject`, `dataschema`, or an extension. */
export const isFreeAttribute = (name: string): boolean => isAttribute(name) && !KNOWN.has(name)

/** Attributes whose value may be of a form that is not theirs, and where the envelope has them if it is. */
const FORMED = new Map(
  ['time', 'sequence', 'dataVersion', 'causationId', 'correlationId', 'replyTo', 'supersedes'].map(
    member => [member.toLowerCase(), member] as const
  )
)

/** What has no other place in the envelope; `taken`: what has. */
function attributesOf(
  headers: Record<string, Buffer>,
  taken: Record<string, string | undefined>
): Record<string, string> | undefined {
  const found: [string, string][] = []
  for (const [header, bytes] of Object.entries(headers)) {
    const name = ATTRIBUTE.exec(header)?.[1]
    if (name === undefined || bytes.length > ATTRIBUTE_BYTES) continue
    const form = FORMED.get(name)
    if (form === undefined ? KNOWN.has(name) : taken[form] !== undefined) continue
    const value = textOf(bytes)
    if (value !== undefined && !(name === 'subject' && value === taken.key)) found.push([name, value])
  }
  return found.length === 0 ? undefined : Object.fromEntries(found.slice(0, ATTRIBUTES_MAX))
}

const TRACE = ['traceparent', 'tracestate']

/** Trace context as headers, where a sender has it among the attributes: the extension for distributed tracing. */
function withTrace(
  headers: Record<string, string>,
  attributes: Record<string, string> | undefined
): Record<string, string> {
  if (headers.traceparent !== undefined || attributes?.traceparent === undefined) return headers
  const found = TRACE.flatMap(name => (attributes[name] === undefined ? [] : [[name, attributes[name]] as const]))
  return { ...headers, ...Object.fromEntries(found) }
}

function plainHeaders(headers: Record<string, Buffer>): Record<string, string> {
  const plain: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith('ce_') || name === 'content-type' || name === '__proto__') continue
    const text = textOf(value)
    // PostgreSQL stores no NUL, in names neither.
    if (text !== undefined && !name.includes('\u0000')) plain[name] = text
  }
  return plain
}
