import { readFileSync } from 'node:fs'
import t from 'tap'
import { decodeEnvelope, inBinaryMode } from '../src/index.ts'

interface Message {
  sdk: string
  mode: string
  what: string
  key: string | null
  headers: Record<string, string>
  value: string | null
}

// As the SDKs wrote them, when each was asked to write the same events.
const messages = JSON.parse(readFileSync(new URL('sdk-messages.json', import.meta.url), 'utf8')) as Message[]

const decode = ({ key, headers, value }: Message) => {
  const bytes = Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)]))
  const delivery = { headers: bytes, raw: Buffer.from(value ?? ''), ...(key !== null && { key: Buffer.from(key) }) }
  const { headers: attributes, raw } = inBinaryMode(delivery)
  return { envelope: decodeEnvelope({ ...delivery, headers: attributes }), data: raw.toString('utf8') }
}

const SOURCES: Record<string, string> = { Java: '/java', Go: '/go', Python: '/python', '.NET': '/dotnet' }
const sourceOf = ({ sdk }: Message) => SOURCES[sdk.split(' ')[0] ?? ''] ?? ''

for (const message of messages.filter(({ what }) => what === 'full'))
  t.test(`${message.sdk}, ${message.mode} mode: attributes and data as they were stated`, async t => {
    const { envelope, data } = decode(message)
    const { id, source, type, time, key, attributes } = envelope
    t.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-/, 'an id that is no UUID')
    t.equal(source, sourceOf(message))
    t.match(type, /^com\.example\./)
    t.equal(new Date(time ?? '').getTime(), Date.parse('2026-01-02T02:04:05.678Z'))
    t.equal(key, message.sdk.startsWith('Java') ? undefined : 'pk')
    const { subject, dataschema, comexampleext, comexamplenumber } = attributes ?? {}
    t.strictSame(
      { subject, dataschema, comexampleext, comexamplenumber },
      {
        subject: '42',
        dataschema: 'https://example.com/s',
        comexampleext: 'é x',
        comexamplenumber: '7'
      }
    )
    t.strictSame(JSON.parse(data).name, 'é')
    t.match(data, /12345678901234567890/, 'digit for digit')
  })

for (const message of messages.filter(({ what }) => what === 'no data'))
  t.test(`${message.sdk}, ${message.mode} mode: no data`, async t => {
    const { envelope, data } = decode(message)
    t.equal(envelope.type, 'com.example.none')
    // Version 1 for Python states null where there are none.
    t.equal(data, message.sdk.startsWith('Python 1') ? 'null' : '')
  })

t.test('data that are no JSON are named as what they are', async t => {
  const text = messages.filter(({ what }) => what === 'text')
  t.equal(text.length, 1)
  for (const message of text) t.throws(() => decode(message), { message: /content-type is not JSON/ })
})

t.test('the ids of one event are the same in both modes, and trace context is found among attributes', async t => {
  const ids = Map.groupBy(
    messages.filter(({ what }) => what === 'full'),
    ({ sdk }) => sdk
  )
  for (const [sdk, both] of ids) t.equal(new Set(both.map(message => decode(message).envelope.id)).size, 1, sdk)
  const [java] = messages
  t.match(decode(java as Message).envelope.headers, { traceparent: /^00-0af7651916cd43dd8448eb211c80319c-/ })
})

t.test('a JSON message of another kind is no event, whatever it has a member for', async t => {
  const base = { sdk: '', mode: '', what: '', key: null, headers: { 'content-type': 'application/json' } }
  for (const value of ['{"specversion":"1.0"}', '{"specversion":"1.0","id":"","source":"s","type":"t"}', '[]', 'x', ''])
    t.throws(() => decode({ ...base, value }), { code: 'SF_EVENTS_UNDECODABLE', message: /no specversion/ }, value)
})
