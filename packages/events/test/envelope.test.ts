import fc from 'fast-check'
import t from 'tap'
import {
  decodeEnvelope,
  encodeEvent,
  eventIdOf,
  fullIdOf,
  keyBytesOf,
  keyIdOf,
  placeIdOf,
  type SendableEvent
} from '../src/index.ts'

const event: SendableEvent = {
  id: '0190a0a0-0000-7000-8000-000000000001',
  seq: '42',
  source: 'market',
  type: 'market.ordered',
  topic: 'orders',
  key: 'ключ',
  dataVersion: '2',
  payload: '{"n":12345678901234567890}',
  headers: { traceparent: '00-1' },
  replyTo: 'market.signals',
  causationId: '0190a0a0-0000-7000-8000-000000000002',
  correlationId: 'c',
  createdAt: new Date('2026-01-01T00:00:00Z'),
  count: 2,
  replay: true
}
const texts = (headers: Record<string, Buffer>) =>
  Object.fromEntries(Object.entries(headers).map(([k, v]) => [k, v.toString()]))
const headersOf = (pairs: Record<string, string>) =>
  Object.fromEntries(Object.entries(pairs).map(([k, v]) => [k, Buffer.from(v)]))
const least = { ce_specversion: '1.0', ce_id: event.id, ce_source: 's', ce_type: 't' }

t.test('on the wire: CloudEvents 1.0, Kafka binding, binary mode', async t => {
  const message = encodeEvent(event)
  t.equal(message.topic, 'orders')
  t.equal(message.key, 'ключ')
  t.equal(message.value.toString(), event.payload)
  t.same(texts(message.headers), {
    ce_specversion: '1.0',
    ce_id: event.id,
    ce_source: 'market',
    ce_type: 'market.ordered',
    ce_time: '2026-01-01T00:00:00.000Z',
    ce_subject: 'ключ',
    ce_partitionkey: 'ключ',
    ce_sequence: '0000000000000000042',
    ce_causationid: event.causationId,
    ce_correlationid: 'c',
    ce_replyto: 'market.signals',
    ce_dataversion: '2',
    ce_attempt: '3',
    ce_replay: 'true',
    'content-type': 'application/json',
    traceparent: '00-1'
  })
  const bare = encodeEvent({
    ...event,
    dataVersion: null,
    replyTo: null,
    causationId: null,
    correlationId: null,
    replay: false,
    headers: {}
  })
  for (const name of ['ce_dataversion', 'ce_replyto', 'ce_causationid', 'ce_correlationid', 'ce_replay'])
    t.notOk(name in bare.headers, `${name} is absent, not empty`)
})

t.test('an attribute cannot be forged by a header of the sender', async t => {
  const { headers } = encodeEvent({ ...event, headers: { ce_id: 'forged', 'content-type': 'text/plain' } })
  t.match(texts(headers), { ce_id: event.id, 'content-type': 'application/json' })
})

const letter = fc
  .integer({ min: 1, max: 0x10ffff })
  .filter(point => point < 0xd800 || point > 0xdfff)
  .map(point => String.fromCodePoint(point))

t.test('there and back again', async t => {
  const word = fc.string({ minLength: 1, unit: letter })
  const optional = fc.option(word)
  const any = fc.record({
    // one of version 8 is taken for a foreign one
    id: fc.uuid({ version: [1, 2, 3, 4, 5, 6, 7] }),
    seq: fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }).map(String),
    source: word,
    type: word,
    topic: word,
    key: word,
    dataVersion: optional,
    payload: fc.json(),
    headers: fc.dictionary(
      fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,20}$/).filter(n => n !== 'content-type'),
      fc.string({ unit: letter }),
      { noNullPrototype: true }
    ),
    replyTo: optional,
    causationId: fc.option(fc.uuid()),
    correlationId: optional,
    createdAt: fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true }),
    count: fc.nat(),
    replay: fc.boolean()
  })
  fc.assert(
    fc.property(any, sent => {
      const { headers, key, value } = encodeEvent(sent)
      const envelope = decodeEnvelope({ headers, key: Buffer.from(key) })
      t.same(
        envelope,
        {
          id: sent.id,
          source: sent.source,
          type: sent.type,
          time: sent.createdAt.toISOString(),
          key: sent.key,
          sequence: sent.seq.padStart(19, '0'),
          ...(sent.dataVersion === null ? {} : { dataVersion: sent.dataVersion }),
          ...(sent.causationId === null ? {} : { causationId: sent.causationId }),
          ...(sent.correlationId === null ? {} : { correlationId: sent.correlationId }),
          ...(sent.replyTo === null ? {} : { replyTo: sent.replyTo }),
          attempt: sent.count + 1,
          replay: sent.replay,
          headers: sent.headers
        },
        'the envelope'
      )
      return value.toString() === sent.payload
    }),
    { numRuns: 50 }
  )
})

t.test('a sequence can be compared as text', async t => {
  const sequence = (seq: string) => texts(encodeEvent({ ...event, seq }).headers).ce_sequence ?? ''
  t.ok(sequence('9') < sequence('10'))
  t.ok(sequence('10') < sequence('9223372036854775807'))
})

t.test('of a foreign producer', async t => {
  t.same(decodeEnvelope({ headers: headersOf(least) }), {
    id: event.id,
    source: 's',
    type: 't',
    attempt: 1,
    replay: false,
    headers: {}
  })
  const foreign = decodeEnvelope({
    headers: headersOf({
      ...least,
      ce_id: 'order/7',
      ce_attempt: 'x',
      ce_time: '',
      'content-type': 'application/vnd.x+json; charset=utf-8',
      other: '1'
    }),
    key: Buffer.from('k')
  })
  t.match(foreign, { key: 'k', attempt: 1, headers: { other: '1' } })
  t.match(foreign.id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/, 'a UUID v8')
  t.notOk('time' in foreign)
})

t.test('what cannot be an event', async t => {
  const cases: [Record<string, string>, RegExp][] = [
    [{ ce_specversion: '' }, /specversion/],
    [{ ce_specversion: '0.3' }, /specversion is not 1.0/],
    [{ ce_id: '' }, /no id/],
    [{ ce_source: '' }, /no source/],
    [{ ce_type: 'a\u0000' }, /type is no text/],
    [{ 'content-type': 'text/plain' }, /content-type/],
    [{ 'content-type': 'application/jsonp' }, /content-type/],
    [{ 'content-type': 'application/cloudevents' }, /content-type/]
  ]
  for (const [wrong, message] of cases)
    t.throws(
      () => decodeEnvelope({ headers: headersOf({ ...least, ...wrong }) }),
      { code: 'SF_EVENTS_UNDECODABLE', message },
      JSON.stringify(wrong)
    )
  for (const name of ['id', 'source', 'type'])
    t.throws(
      () => decodeEnvelope({ headers: { ...headersOf(least), [`ce_${name}`]: Buffer.from([0x61, 0xff]) } }),
      { code: 'SF_EVENTS_UNDECODABLE', message: new RegExp(`${name} is no text in UTF-8`) },
      'bytes that are no text would make one of two'
    )
  t.throws(() => decodeEnvelope({ headers: {} }), { code: 'SF_EVENTS_UNDECODABLE', message: /no specversion/ })
})

t.test('an attribute that is not of its form is found under its own name, as it came', async t => {
  const odd = {
    time: 'yesterday',
    sequence: 'seven',
    causationid: 'x'.repeat(256),
    correlationid: 'y'.repeat(256),
    replyto: '',
    dataversion: 'v'.repeat(300),
    supersedes: 'the last one'
  }
  const headers = Object.fromEntries(Object.entries(odd).map(([name, value]) => [`ce_${name}`, value]))
  const envelope = decodeEnvelope({ headers: headersOf({ ...least, ...headers }) })
  t.same(envelope, { id: event.id, source: 's', type: 't', attempt: 1, replay: false, headers: {}, attributes: odd })
  const time = (ce_time: string) => decodeEnvelope({ headers: headersOf({ ...least, ce_time }) })
  for (const right of [
    '2024-02-29T23:59:60Z',
    '2026-11-27t09:00:00.123456789+05:30',
    '2026-01-02T03:04:05.678000+00:00'
  ]) {
    t.equal(time(right).time, right)
    t.notOk('attributes' in time(right))
  }
  for (const wrong of [
    '2026-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:60:00Z',
    '1767225600'
  ])
    t.match(time(wrong), { time: undefined, attributes: { time: wrong } })
  const plain = decodeEnvelope({ headers: { ...headersOf(least), good: Buffer.from('é'), bad: Buffer.from([0xe9]) } })
  t.same(plain.headers, { good: 'é' }, 'a plain header that is no text is not made into another one')
})

t.test('any headers at all: an envelope or the coded error, never anything else', async t => {
  const unit = fc.nat(0xffff).map(code => String.fromCharCode(code))
  const strange = ['content-type', '__proto__', 'constructor', 'ce_attempt', 'a\u0000b']
  const name = fc.oneof(fc.constantFrom(...Object.keys(least), ...strange), fc.string({ unit, maxLength: 8 }))
  const number = fc.oneof(fc.constantFrom('-5', '0', '1e400', '9'.repeat(400)), fc.integer().map(String))
  const value = fc.oneof(
    fc.uint8Array({ maxLength: 20 }).map(bytes => Buffer.from(bytes)),
    number.map(text => Buffer.from(text))
  )
  const any = fc.array(fc.tuple(name, value), { maxLength: 8 }).map(Object.fromEntries)
  fc.assert(
    fc.property(any, fc.boolean(), (headers, complete) => {
      try {
        const envelope = decodeEnvelope({ headers: complete ? { ...headers, ...headersOf(least) } : headers })
        return (
          !JSON.stringify(envelope).includes('\\u0000') &&
          Object.getPrototypeOf(envelope.headers) === Object.prototype &&
          Number.isSafeInteger(envelope.attempt) &&
          envelope.attempt >= 1
        )
      } catch (error) {
        return (error as { code?: string }).code === 'SF_EVENTS_UNDECODABLE'
      }
    }),
    { numRuns: 300 }
  )
  t.pass()
})

t.test('ids that stand for others are the same each time and do not collide', async t => {
  t.equal(eventIdOf('s', event.id.toUpperCase()), event.id)
  t.equal(eventIdOf('s', 'x'), eventIdOf('s', 'x'))
  t.not(eventIdOf('s', 'x'), eventIdOf('t', 'x'))
  const v8 = '0190a0a0-0000-8000-8000-000000000001'
  t.not(eventIdOf('s', v8), v8, 'nobody takes a hash for his id')
  const claim = { source: 's', eventId: event.id, type: 't', topic: 'a' }
  t.equal(fullIdOf(claim), fullIdOf({ ...claim }))
  for (const other of [{ source: 'sa' }, { eventId: v8 }, { type: 'u' }, { topic: 'b' }])
    t.not(fullIdOf({ ...claim, ...other }), fullIdOf(claim), JSON.stringify(other))
})

t.test('a place in the log and the bytes there are one id; other bytes, or another place, another', async t => {
  const place = {
    topic: 'a',
    position: '0:1',
    key: Buffer.from('k'),
    headers: headersOf({ x: '1', y: '2' }),
    raw: Buffer.from('r')
  }
  t.equal(placeIdOf({ ...place, headers: headersOf({ y: '2', x: '1' }) }), placeIdOf(place))
  const others = [
    { topic: 'b' },
    { position: '0:2' },
    { key: Buffer.from('l') },
    { raw: Buffer.from('s') },
    { headers: headersOf({ x: '1' }) },
    { headers: headersOf({ x: '1', y: '3' }) },
    { headers: headersOf({ x: '1y', '': '2' }) }
  ]
  const ids = [place, ...others.map(other => ({ ...place, ...other }))].map(placeIdOf)
  t.equal(new Set(ids).size, ids.length)
})

t.test('an attribute that is not of its form is no member of the envelope, or the message is no event', async t => {
  const decode = (wrong: Record<string, string>) => decodeEnvelope({ headers: headersOf({ ...least, ...wrong }) })
  for (const time of ['2026-01-01T00:00:00Z', '2026-01-01t00:00:00.123456789+01:00'])
    t.equal(decode({ ce_time: time }).time, time)
  t.equal(decode({ ce_sequence: '9'.repeat(19) }).sequence, '9'.repeat(19))
  t.equal(decode({ ce_correlationid: 'c'.repeat(255) }).correlationId, 'c'.repeat(255))
  const { headers: _, ...bare } = decode({})
  for (const wrong of [
    { ce_time: 'yesterday' },
    { ce_time: '2026-01-01' },
    { ce_sequence: 'not a number' },
    { ce_sequence: '-1' },
    { ce_sequence: '9'.repeat(20) },
    { ce_correlationid: 'c'.repeat(256) },
    { ce_replyto: 'r'.repeat(256) },
    { ce_dataversion: 'v'.repeat(256) },
    { ce_causationid: 'v'.repeat(256) }
  ]) {
    const { headers: _, ...envelope } = decode(wrong)
    const attributes = Object.fromEntries(Object.entries(wrong).map(([name, value]) => [name.slice(3), value]))
    t.same(envelope, { ...bare, attributes }, JSON.stringify(wrong).slice(0, 50))
  }
  for (const name of ['ce_id', 'ce_source', 'ce_type']) {
    t.equal(typeof decode({ [name]: 'x'.repeat(1024) }).id, 'string')
    t.throws(() => decode({ [name]: 'x'.repeat(1025) }), { code: 'SF_EVENTS_UNDECODABLE', message: /1024 bytes/ }, name)
  }
})

t.test('a key is bytes: text where it is one, and told apart where it is none', async t => {
  const keyed = (key: Buffer | undefined, partitionKey?: Buffer) => ({
    headers: { ...headersOf(least), ...(partitionKey ? { ce_partitionkey: partitionKey } : {}) },
    ...(key ? { key } : {})
  })
  const hex = (text: string) => Buffer.from(text, 'hex')
  t.equal(decodeEnvelope(keyed(Buffer.from('é'))).key, 'é')
  for (const key of ['80', '81', '0000000000000001', '610062', 'eda080'])
    t.notOk('key' in decodeEnvelope(keyed(hex(key))), `${key} is no text`)
  t.equal(decodeEnvelope(keyed(hex('80'), Buffer.from('stated'))).key, 'stated', 'ce_partitionkey comes first')
  t.same(keyBytesOf(keyed(Buffer.from('key'), hex('81'))), hex('81'))
  t.equal(keyBytesOf(keyed(Buffer.alloc(0))), undefined)
  t.equal(keyBytesOf(keyed(undefined)), undefined)
  t.equal(new Set(['80', '81', 'efbfbd'].map(key => keyIdOf(hex(key)))).size, 3)
  t.equal(keyIdOf(Buffer.from('k'.repeat(2000))), '73f23f4a-8fbf-872e-9ae1-a65cb096c5f4', 'as long keys always were')
})
