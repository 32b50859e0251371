import fc from 'fast-check'
import t from 'tap'
import { Type } from 'typebox'
import { validate, version } from 'uuid'
import { buildEvent, defineEvent, EVENT_DEFAULTS, exactJson, laneOf } from '../src/index.ts'

const sender = { source: 'market' }
const Anything = defineEvent({ type: 'a', topic: 'a', data: Type.Unknown() })
const Ordered = defineEvent({
  type: 'market.ordered',
  topic: 'orders',
  key: d => d.orderId,
  dataVersion: '2',
  awaits: { from: 'deploy', maxSends: 3 },
  data: Type.Object({ orderId: Type.String(), at: Type.Optional(Type.String()) })
})

t.test('what an event is made of', async t => {
  const event = buildEvent(Ordered, { orderId: 'order-1' }, sender)
  t.ok(validate(event.id) && version(event.id) === 7, 'a UUID v7')
  t.match(event, {
    source: 'market',
    type: 'market.ordered',
    topic: 'orders',
    key: 'order-1',
    lane: 45,
    dataVersion: '2',
    payload: '{"orderId":"order-1"}',
    headers: {},
    awaitsFrom: 'deploy',
    replyTo: 'market.signals',
    maxSends: 3,
    confirmWithinMs: EVENT_DEFAULTS.confirmWithinMs,
    resendBackoff: 2,
    giveUpAfterMs: 86_400_000,
    causationId: null,
    correlationId: null,
    isAnswer: false
  })
})

t.test('contract before service before default', async t => {
  const defaults = { maxSends: 9, confirmWithinMs: 5, resendBackoff: 1, giveUpAfterMs: 7 }
  const event = buildEvent(Ordered, { orderId: 'a' }, { ...sender, replyTo: 'elsewhere', defaults })
  t.match(event, { maxSends: 3, confirmWithinMs: 5, resendBackoff: 1, giveUpAfterMs: 7, replyTo: 'elsewhere' })
})

t.test('what awaits nothing has no reply address and no deadlines; without a key its id is the key', async t => {
  const event = buildEvent(Anything, 1, sender)
  t.match(event, {
    key: event.id,
    lane: laneOf(event.id),
    awaitsFrom: null,
    replyTo: null,
    confirmWithinMs: null,
    resendBackoff: null,
    giveUpAfterMs: null,
    maxSends: 6
  })
})

t.test('answers and causes', async t => {
  const id = '0190a0a0-0000-7000-8000-000000000001'
  t.match(buildEvent(Anything, 1, sender, { inReplyTo: id }), { causationId: id, isAnswer: true })
  t.match(buildEvent(Anything, 1, sender, { causationId: id, correlationId: 'c' }), {
    causationId: id,
    correlationId: 'c',
    isAnswer: false
  })
})

t.test('data are checked as consumers will see them', async t => {
  const code = 'SF_EVENTS_DATA_REFUSED'
  t.throws(() => buildEvent(Ordered, {} as never, sender), { code, message: /market.ordered.*required/ })
  t.throws(() => buildEvent(Ordered, { orderId: 1 } as never, sender), { code })
  t.throws(() => buildEvent(Ordered, undefined as never, sender), { code })
  const at = new Date('2026-01-01T00:00:00Z')
  t.match(
    buildEvent(Ordered, { orderId: 'a', at } as never, sender).payload,
    '{"orderId":"a","at":"2026-01-01T00:00:00.000Z"}',
    'a Date is a text by then'
  )
  t.throws(
    () => buildEvent(Ordered, { orderId: 'a', at: Number.NaN } as never, sender),
    { code },
    'NaN is null by then'
  )
  t.throws(
    () =>
      buildEvent(
        Anything,
        {
          toJSON: () => {
            throw new Error('no')
          }
        },
        sender
      ),
    { code: 'SF_EVENTS_PAYLOAD_INVALID' }
  )
  t.throws(() => buildEvent(Anything, 1n, sender), { code: 'SF_EVENTS_PAYLOAD_INVALID' })
})

t.test('a key that is none', async t => {
  for (const key of ['', 'a\u0000b', '\ud800', 7, null]) {
    const Keyed = defineEvent({ type: 'k', topic: 'k', data: Type.Unknown(), key: () => key as string })
    t.throws(
      () => buildEvent(Keyed, 1, sender),
      { code: 'SF_EVENTS_DATA_REFUSED', message: /key/ },
      JSON.stringify(key)
    )
  }
})

t.test('what PostgreSQL cannot hold', async t => {
  const code = 'SF_EVENTS_PAYLOAD_INVALID'
  t.throws(() => buildEvent(Anything, { a: 'x\u0000y' }, sender), { code })
  t.throws(() => buildEvent(Anything, { 'x\u0000y': 1 }, sender), { code })
  t.throws(
    () => buildEvent(Anything, exactJson('{"a":"\\\\\\u0000"}'), sender),
    { code },
    'an escaped backslash, then NUL'
  )
  for (const data of [
    '\ud800',
    { a: 'x\ud800y' },
    { '\udc00': 1 },
    ['\udc00\ud800'],
    exactJson('"\\ud800"'),
    exactJson('"\\uDC00\\uD800"')
  ])
    t.throws(() => buildEvent(Anything, data, sender), { code, message: /surrogate/ }, JSON.stringify(data))
  for (const whole of ['"\\ud83d\\ude00"', '"\\uD83D\\uDE00 \\\\ud800"', '"\ud83d\ude00"'])
    t.equal(buildEvent(Anything, exactJson(whole), sender).payload, whole, 'whole pairs, however they are written')
  t.equal(
    buildEvent(Anything, '\\ud800', sender).payload,
    '"\\\\ud800"',
    'a backslash and letters are no half of a pair'
  )
  const text = JSON.stringify({ a: '\\u0000' })
  t.equal(buildEvent(Anything, { a: '\\u0000' }, sender).payload, text, 'a backslash and letters are no NUL')
})

t.test('exact JSON stays as it was written', async t => {
  for (const text of ['{"b": 12345678901234567890, "a":1, "a":2}', ' [1.0, 1e3]\n', '"\\u00e9"'])
    t.equal(buildEvent(Anything, exactJson(text), sender).payload, text)
  for (const text of ['', '{', "{'a':1}", 'undefined', '01', '"\ud800"'])
    t.throws(() => buildEvent(Anything, exactJson(text), sender), { code: 'SF_EVENTS_PAYLOAD_INVALID' }, text)
  t.throws(
    () => buildEvent(Ordered, exactJson('{}'), sender),
    { code: 'SF_EVENTS_DATA_REFUSED' },
    'and is checked all the same'
  )
})

t.test('size in bytes', async t => {
  const limited = { ...sender, defaults: { maxPayloadBytes: 10 } }
  t.equal(buildEvent(Anything, 'x'.repeat(8), limited).payload.length, 10)
  t.throws(() => buildEvent(Anything, 'x'.repeat(9), limited), {
    code: 'SF_EVENTS_PAYLOAD_TOO_LARGE',
    message: /11 bytes; the limit is 10/
  })
  t.throws(
    () => buildEvent(Anything, 'é'.repeat(5), limited),
    { code: 'SF_EVENTS_PAYLOAD_TOO_LARGE' },
    'bytes, not letters'
  )
})

t.test('headers', async t => {
  const headers = { traceparent: '00-1', 'x-a_b': 'ü' }
  t.same(buildEvent(Anything, 1, sender, { headers }).headers, headers)
  for (const name of ['', 'A', 'a b', 'a:b', '-a', 'ce_id', 'content-type', 'x'.repeat(65)])
    t.throws(
      () => buildEvent(Anything, 1, sender, { headers: { [name]: 'v' } }),
      { code: 'SF_EVENTS_HEADER_INVALID' },
      name
    )
  for (const value of ['a\u0000b', '\ud800', 7, undefined])
    t.throws(() => buildEvent(Anything, 1, sender, { headers: { a: value as string } }), {
      code: 'SF_EVENTS_HEADER_INVALID'
    })
})

t.test('ids that cannot be stored', async t => {
  const code = 'SF_EVENTS_HEADER_INVALID'
  for (const id of ['', 'order-7', '\u0000', 7]) {
    t.throws(() => buildEvent(Anything, 1, sender, { causationId: id as string }), { code, message: /causationId/ })
    t.throws(() => buildEvent(Anything, 1, sender, { inReplyTo: id as string }), { code, message: /inReplyTo/ })
  }
  for (const id of ['\u0000', '\ud800', {}])
    t.throws(() => buildEvent(Anything, 1, sender, { correlationId: id as string }), { code, message: /correlationId/ })
})

t.test('any JSON value that is not refused comes out as it went in', async t => {
  // NUL, and what sets a prototype: a property draws a member of that name once in a while
  const refused = /\\u0000|"__proto__"|"prototype"/
  const value = fc.jsonValue({ stringUnit: 'grapheme' }).filter(v => !refused.test(JSON.stringify(v)))
  fc.assert(fc.property(value, v => buildEvent(Anything, v, sender).payload === JSON.stringify(v)))
  t.pass()
})
