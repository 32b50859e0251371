import { isUtf8 } from 'node:buffer'
import { isAttribute, JSON_TYPE } from './envelope.ts'
import { Undecodable } from './errors.ts'
import type { Delivery } from './transport.ts'

const ANY_MODE = /^application\/cloudevents/i
const STRUCTURED = /^application\/cloudevents\+json\s*(?:;|$)/i
const BATCH = /^application\/cloudevents-batch/i

/**
 * A message in structured content mode (CloudEvents 1.0, JSON event format) as one in binary mode: its attributes are
 * headers, its data are the value, byte for byte as they stand in it. Any other message as it is. Which one it is says the
 * content type, or its form where an SDK says something else.
 *
 * @throws SF_EVENTS_UNDECODABLE also for a batch, which the Kafka binding does not know, and for formats other than JSON
 */
export function inBinaryMode<D extends Pick<Delivery, 'headers' | 'raw'>>(delivery: D): D {
  const contentType = delivery.headers['content-type']?.toString('utf8') ?? ''
  if (isStructuredInDisguise(delivery, contentType)) return unfold(delivery)
  if (!ANY_MODE.test(contentType)) return delivery
  if (BATCH.test(contentType)) throw new Undecodable('a batch: each event needs a message of its own')
  if (!STRUCTURED.test(contentType)) throw new Undecodable('of events in structured mode only JSON is read')
  return unfold(delivery)
}

/**
 * Version 1 of the SDK of Python names the content type of the data in the place of that of the message. What has no
 * attribute in its headers, and all that an event must have in its value, is one.
 */
function isStructuredInDisguise({ headers, raw }: Pick<Delivery, 'headers' | 'raw'>, contentType: string): boolean {
  if (headers.ce_specversion !== undefined || !JSON_TYPE.test(contentType) || ANY_MODE.test(contentType)) return false
  try {
    const { specversion, id, source, type } = read(raw).values
    return specversion === '1.0' && [id, source, type].every(value => typeof value === 'string' && value !== '')
  } catch {
    return false
  }
}

function unfold<D extends Pick<Delivery, 'headers' | 'raw'>>(delivery: D): D {
  const { text, members, values } = read(delivery.raw)
  // What the message has in the place of attributes is not the event's.
  const plain = Object.entries(delivery.headers).filter(([name]) => !name.startsWith('ce_'))
  const headers: Record<string, Buffer> = Object.fromEntries(plain)
  for (const name of members.keys()) {
    if (name === 'data' || name === 'data_base64') continue
    const value = attributeOf(name, values[name])
    if (value !== undefined) headers[`ce_${name}`] = Buffer.from(value)
  }
  const dataType = headers.ce_datacontenttype?.toString('utf8') ?? 'application/json'
  headers['content-type'] = Buffer.from(dataType)
  delete headers.ce_datacontenttype
  return { ...delivery, headers, raw: dataOf(text, members, values, dataType) }
}

type Members = Map<string, { start: number; end: number }>

function read(raw: Buffer): { text: string; members: Members; values: Record<string, unknown> } {
  if (!isUtf8(raw)) throw new Undecodable('the event is not UTF-8')
  const text = raw.toString('utf8').replace(/^\ufeff/, '')
  let values: unknown
  try {
    values = JSON.parse(text)
  } catch (error) {
    throw new Undecodable(`the event is no JSON: ${(error as Error).message}`)
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values))
    throw new Undecodable('the event is no JSON object')
  return { text, members: membersOf(text), values: values as Record<string, unknown> }
}

/** The text of an attribute's value; `undefined` where it is null, which says that it is absent. */
function attributeOf(name: string, value: unknown): string | undefined {
  if (!isAttribute(name)) throw new Undecodable('the name of an attribute is not of small letters and digits')
  if (value === null) return undefined
  if (typeof value === 'string' || typeof value === 'boolean' || Number.isInteger(value)) return String(value)
  throw new Undecodable(`attribute ${name} is no text, integer or truth value`)
}

function dataOf(text: string, members: Members, values: Record<string, unknown>, dataType: string): Buffer {
  const [plain, base64] = [members.get('data'), members.get('data_base64')]
  if (plain !== undefined && base64 !== undefined) throw new Undecodable('both data and data_base64')
  if (base64 !== undefined) {
    const bytes = values.data_base64
    if (typeof bytes !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(bytes))
      throw new Undecodable('data_base64 is no base64')
    return Buffer.from(bytes, 'base64')
  }
  if (plain === undefined) return Buffer.alloc(0)
  if (!JSON_TYPE.test(dataType) && typeof values.data === 'string') return Buffer.from(values.data)
  return Buffer.from(text.slice(plain.start, plain.end))
}

/** Where the values of the members of an object stand; of a name that comes twice the last one. The text is valid JSON. */
function membersOf(text: string): Members {
  const members: Members = new Map()
  let depth = 0
  let name: string | undefined
  let start = -1
  const finish = (end: number) => {
    if (name === undefined) return
    const value = text.slice(start, end)
    const from = start + (value.length - value.trimStart().length)
    members.set(name, { start: from, end: from + value.trim().length })
    name = undefined
  }
  for (let at = 0; at < text.length; at++) {
    const c = text[at]
    if (c === '"') {
      const end = endOfText(text, at)
      if (depth === 1 && name === undefined) {
        name = JSON.parse(text.slice(at, end)) as string
        at = text.indexOf(':', end)
        start = at + 1
      } else at = end - 1
    } else if (c === '{' || c === '[') depth++
    else if (c === '}' || c === ']') {
      if (--depth === 0) finish(at)
    } else if (c === ',' && depth === 1) finish(at)
  }
  return members
}

/** Behind the quotation mark that ends the text which begins here. */
function endOfText(json: string, begin: number): number {
  let at = begin + 1
  while (json[at] !== '"') at += json[at] === '\\' ? 2 : 1
  return at + 1
}
