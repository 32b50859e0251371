import type { Static, TSchema } from 'typebox'
import { v7 as uuidv7 } from 'uuid'
import type { EventContract } from './define-event.ts'
import { ATTRIBUTE_BYTES, isFreeAttribute } from './envelope.ts'
import { DataRefused, HeaderInvalid, PayloadInvalid, PayloadTooLarge } from './errors.ts'
import { laneOf } from './lane.ts'
import type { Seal, SealedEvent } from './seal.ts'

/** Durations and limits that a contract may leave to its service. */
export interface EventDefaults {
  confirmWithinMs: number
  resendBackoff: number
  maxSends: number
  giveUpAfterMs: number
  /** The largest payload in bytes. */
  maxPayloadBytes: number
}

/** The defaults of the project: two minutes, doubling, once and five resends, a day, 900 KiB. */
export const EVENT_DEFAULTS: EventDefaults = {
  confirmWithinMs: 120_000,
  resendBackoff: 2,
  maxSends: 6,
  giveUpAfterMs: 86_400_000,
  maxPayloadBytes: 900 * 1024
}

/** An event before it is a row: all that the outbox writes, nothing that the database decides. */
export interface NewEvent {
  id: string
  source: string
  type: string
  topic: string
  key: string
  lane: number
  dataVersion: string | null
  /** The exact JSON text that will be published. */
  payload: string
  headers: Record<string, string>
  maxSends: number
  awaitsFrom: string | null
  /** A receipt confirms it. */
  awaitsReceipt: boolean
  replyTo: string | null
  confirmWithinMs: number | null
  resendBackoff: number | null
  giveUpAfterMs: number | null
  causationId: string | null
  /** `null`: that of the event it was caused by, else its own id. */
  correlationId: string | null
  isAnswer: boolean
  /** The stored answer in whose place this one comes. */
  supersedes?: string
  /**
   * It answers an event that is not at hand. If a replay has run that event again, the replay decides what becomes of an
   * answer that is stored already.
   */
  isLateAnswer?: boolean
}

/** What the sender may say of one event. */
export interface SendOptions {
  /** The id of the event this one answers. It becomes the causation id, and the event an answer. */
  inReplyTo?: string
  /** The id of the event that led to this one. Within an event handler: the event at hand. */
  causationId?: string
  correlationId?: string
  /** Plain headers that travel with the message, e.g. `traceparent`. */
  headers?: Record<string, string>
  /** CloudEvents attributes of your own: `subject` (default: the key), `dataschema`, extensions. */
  attributes?: Record<string, string>
}

const exact: unique symbol = Symbol('steadfast.exactJson')
/** JSON text to be sent as it is, made by {@link exactJson}. */
export interface ExactJson {
  readonly [exact]: string
}

/** Marks JSON text to be stored and published byte for byte: integers past 2^53, duplicate keys, white space. */
export function exactJson(text: string): ExactJson {
  return { [exact]: text }
}

/** PostgreSQL holds neither a NUL nor one half of a surrogate pair. */
const isStorable = (text: string) => !text.includes('\u0000') && !/\p{Surrogate}/u.test(text)

// JSON.stringify writes half a pair as an escape, which is text to the table and an error to whoever reads it as JSON.
// Escapes are taken one after the other, a pair as one: what is left in the group is a NUL or half a pair.
const ESCAPES = /\\(?:u[Dd][89ABab][\dA-Fa-f]{2}\\u[Dd][C-Fc-f][\dA-Fa-f]{2}|(u0000|u[Dd][89A-Fa-f][\dA-Fa-f]{2})|.)/g
const NAMES_PROTOTYPE = /__proto__|constructor|\\u00/
const HALF = 'half a surrogate pair is no text'

/** Whether it is written as a UUID, of any version and in either case: what the tables take for an id. */
export const isUuid = (text: string): boolean => /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)

const HEADER = /^[a-z0-9][a-z0-9_-]{0,63}$/

/**
 * Checks data against its contract and makes the event that goes into the outbox.
 *
 * @throws SF_EVENTS_DATA_REFUSED, SF_EVENTS_PAYLOAD_INVALID, SF_EVENTS_PAYLOAD_TOO_LARGE, SF_EVENTS_HEADER_INVALID
 */
export function buildEvent<S extends TSchema>(
  contract: EventContract<S, string>,
  data: Static<S> | ExactJson,
  sender: { source: string; replyTo?: string; defaults?: Partial<EventDefaults>; seal?: Seal | undefined },
  options: SendOptions = {}
): NewEvent {
  const defaults = { ...EVENT_DEFAULTS, ...sender.defaults }
  checkIds(options)
  const { value, text } = payloadOf(contract, data)
  const id = uuidv7()
  const key = keyOf(contract, value) ?? id
  const payload =
    sender.seal === undefined
      ? text
      : sealed(sender.seal, text, { id, source: sender.source, type: contract.type, key })
  const bytes = Buffer.byteLength(payload)
  if (bytes > defaults.maxPayloadBytes) throw new PayloadTooLarge(contract.type, bytes, defaults.maxPayloadBytes)
  const { awaits } = contract
  const awaiting = (field: 'confirmWithinMs' | 'resendBackoff' | 'giveUpAfterMs') =>
    awaits ? (awaits[field] ?? defaults[field]) : null
  return {
    id,
    source: sender.source,
    type: contract.type,
    topic: contract.topic,
    key,
    lane: laneOf(key),
    dataVersion: contract.dataVersion ?? null,
    payload,
    headers: { ...checkHeaders(options.headers ?? {}), ...attributeHeaders(options.attributes ?? {}) },
    maxSends: awaits?.maxSends ?? defaults.maxSends,
    awaitsFrom: awaits?.from ?? null,
    awaitsReceipt: awaits?.receipt ?? false,
    replyTo: awaits ? (sender.replyTo ?? `${sender.source}.signals`) : null,
    confirmWithinMs: awaiting('confirmWithinMs'),
    resendBackoff: awaiting('resendBackoff'),
    giveUpAfterMs: awaiting('giveUpAfterMs'),
    causationId: options.inReplyTo ?? options.causationId ?? null,
    correlationId: options.correlationId ?? null,
    isAnswer: options.inReplyTo !== undefined,
    ...(options.inReplyTo !== undefined && { isLateAnswer: true })
  }
}

function keyOf<S extends TSchema>(contract: EventContract<S, string>, value: Static<S>): string | undefined {
  const key = contract.key?.(value)
  if (key === undefined) return undefined
  if (typeof key !== 'string' || key === '' || !isStorable(key))
    throw new DataRefused(contract.type, 'its key must be a text that PostgreSQL can hold, and not empty')
  return key
}

function payloadOf<S extends TSchema>(contract: EventContract<S, string>, data: Static<S> | ExactJson) {
  const raw = typeof data === 'object' && data !== null && exact in data ? (data as ExactJson)[exact] : undefined
  let value: unknown
  let text: string
  try {
    text = raw ?? JSON.stringify(data) ?? 'null'
    // What consumers will see is what is checked: a Date, toJSON or an undefined member changes on the way to text.
    value = JSON.parse(text)
  } catch (error) {
    throw new PayloadInvalid(contract.type, (error as Error).message)
  }
  const refusal = contract.refusal(value)
  if (refusal !== undefined) throw new DataRefused(contract.type, refusal)
  checkStorable(contract.type, text)
  if (NAMES_PROTOTYPE.test(text) && setsPrototype(value))
    throw new PayloadInvalid(contract.type, 'a member __proto__, or constructor.prototype: its consumers refuse it')
  return { value: value as Static<S>, text }
}

function checkStorable(type: string, text: string): void {
  for (const [, unstorable] of text.matchAll(ESCAPES)) {
    if (unstorable === 'u0000') throw new PayloadInvalid(type, '\\u0000 cannot be stored in PostgreSQL')
    if (unstorable !== undefined) throw new PayloadInvalid(type, HALF)
  }
  if (/\p{Surrogate}/u.test(text)) throw new PayloadInvalid(type, HALF)
}

function sealed(seal: Seal, text: string, event: SealedEvent): string {
  let payload: string
  try {
    payload = seal(text, event)
    if (typeof payload !== 'string') throw new TypeError('not a text')
    JSON.parse(payload)
  } catch (error) {
    throw new PayloadInvalid(event.type, `the option "seal" gave no JSON text: ${(error as Error).message}`)
  }
  checkStorable(event.type, payload)
  return payload
}

function checkHeaders(headers: Record<string, string>): Record<string, string> {
  for (const [name, value] of Object.entries(headers)) {
    if (!HEADER.test(name) || name.startsWith('ce_') || name === 'content-type')
      throw new HeaderInvalid(name, 'this name is not free')
    if (typeof value !== 'string' || !isStorable(value)) throw new HeaderInvalid(name, 'the value must be a text')
  }
  return headers
}

/** As the row keeps them: under the names of their headers, which are free for nothing else. */
function attributeHeaders(attributes: Record<string, string>): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(attributes)) {
    const header = `ce_${name}`
    if (!isFreeAttribute(name)) throw new HeaderInvalid(header, 'this name is not free for an attribute')
    if (typeof value !== 'string' || value === '' || !isStorable(value) || Buffer.byteLength(value) > ATTRIBUTE_BYTES)
      throw new HeaderInvalid(header, `the value must be a text of 1 to ${ATTRIBUTE_BYTES} bytes`)
    headers[header] = value
  }
  return headers
}

/** Whether a parser that lets no prototype be set, as that of its consumers does, would refuse a value. */
function setsPrototype(value: unknown): boolean {
  const open = [value]
  while (open.length > 0) {
    const at = open.pop()
    if (typeof at !== 'object' || at === null) continue
    if (Object.hasOwn(at, '__proto__')) return true
    const made = Object.hasOwn(at, 'constructor') ? (at as { constructor: unknown }).constructor : undefined
    if (typeof made === 'object' && made !== null && Object.hasOwn(made, 'prototype')) return true
    for (const member of Object.values(at)) open.push(member)
  }
  return false
}

function checkIds({ inReplyTo, causationId, correlationId }: SendOptions): void {
  for (const [name, id] of Object.entries({ inReplyTo, causationId }))
    if (id !== undefined && !isUuid(id)) throw new HeaderInvalid(name, 'it must be the UUID of an event')
  if (correlationId === undefined) return
  if (typeof correlationId !== 'string' || !isStorable(correlationId) || correlationId.length > 255)
    throw new HeaderInvalid('correlationId', 'the value must be a text of at most 255 characters')
}
