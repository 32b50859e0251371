import { defineEvent, exactJson } from '@steadfast/events'
import type { FastifyReply } from 'fastify'
import t from 'tap'
import { Type } from 'typebox'
import { expectEvent } from '../src/testing.ts'
import { buildApp, OrderPlaced, placeOrder } from './helpers/build-app.ts'

const Loose = defineEvent({ type: 'test.loose', topic: 'test.loose', data: Type.Object({}) })
const Unregistered = defineEvent({ type: 'test.unregistered', topic: 'test.x', data: Type.Object({}) })
const Twin = defineEvent({ type: 'test.order.placed', topic: 'test.x', data: Type.Object({}) })
const contracts = [OrderPlaced, Loose]

const refusals: Record<string, [code: string, send: (reply: FastifyReply) => Promise<unknown>]> = {
  'data that the contract refuses': ['SF_EVENTS_DATA_REFUSED', r => r.sendEvent(OrderPlaced, { orderId: 7 as never })],
  'an unregistered contract': ['SF_OUTBOX_CONTRACT_UNKNOWN', r => r.sendEvent(Unregistered, {})],
  'another contract of a registered type': ['SF_OUTBOX_CONTRACT_UNKNOWN', r => r.sendEvent(Twin, {})],
  'a zero byte': ['SF_EVENTS_PAYLOAD_INVALID', r => r.sendEvent(OrderPlaced, { orderId: 'a\u0000' })],
  'no JSON': ['SF_EVENTS_PAYLOAD_INVALID', r => r.sendEvent(Loose, exactJson('{'))],
  'a payload over the limit': [
    'SF_EVENTS_PAYLOAD_TOO_LARGE',
    r => r.sendEvent(OrderPlaced, { orderId: 'x'.repeat(200) })
  ],
  'a header that is not free': ['SF_EVENTS_HEADER_INVALID', r => r.sendEvent(Loose, {}, { headers: { ce_id: 'x' } })]
}

t.test('what cannot be sent fails the request with a code, awaited or not, and nothing is stored', async t => {
  const { app, stored, quiet } = await buildApp(
    t,
    app => {
      app.post<{ Querystring: { name: string; awaited?: string } }>(
        '/',
        { transaction: true },
        async (request, reply) => {
          await request.tx.query("insert into orders values ('a')")
          const [, send] = refusals[request.query.name] ?? []
          if (request.query.awaited) await send?.(reply)
          else send?.(reply)
          return 'ok'
        }
      )
    },
    { outboxOptions: { contracts, maxPayloadBytes: 100 } }
  )
  for (const [name, [code]] of Object.entries(refusals))
    for (const awaited of ['', 'yes']) {
      const response = await app.inject({ method: 'POST', url: '/', query: { name, awaited } })
      t.equal(response.statusCode, 500)
      t.equal(response.json().code, code, name)
    }
  t.same(await stored(), { orders: [], events: [] })
  await quiet()
})

t.test('a refusal that is caught fails the request all the same, unless a savepoint is rolled back to', async t => {
  const { app, stored, quiet } = await buildApp(t, app => {
    app.post<{ Querystring: { savepoint?: string } }>('/', { transaction: true }, async (request, reply) => {
      await reply.sendEvent(OrderPlaced, { orderId: 'a' })
      if (request.query.savepoint) await request.tx.query('savepoint before')
      const refused = reply.sendEvent(OrderPlaced, { orderId: 7 as never })
      await t.rejects(refused, { code: 'SF_EVENTS_DATA_REFUSED' }, 'rejected, not thrown')
      if (request.query.savepoint) await request.tx.query('rollback to before')
      return 'ok'
    })
  })
  const response = await app.inject({ method: 'POST', url: '/' })
  t.same([response.statusCode, response.json().code], [500, 'SF_EVENTS_DATA_REFUSED'])
  t.same(await stored(), { orders: [], events: [] })
  t.equal((await app.inject({ method: 'POST', url: '/?savepoint=yes' })).statusCode, 200)
  t.same((await stored()).events, ['a'])
  await quiet()
})

t.test('handlers see no more of a transaction than is theirs', async t => {
  const { app } = await buildApp(t, app => {
    app.post('/', { transaction: true }, async request => Object.keys(request.tx).sort())
  })
  t.same((await app.inject({ method: 'POST', url: '/' })).json(), ['beforeCommit', 'flush', 'query', 'sendEvent'])
})

t.test('without a transaction', async t => {
  const { app, stored } = await buildApp(t, app => {
    app.post('/send', async (_, reply) => reply.sendEvent(OrderPlaced, { orderId: 'a' }))
    app.post('/query', { transaction: false }, async request => request.tx.query('select 1'))
  })
  for (const url of ['/send', '/query']) {
    const response = await app.inject({ method: 'POST', url })
    t.equal(response.statusCode, 500)
    t.equal(response.json().code, 'SF_OUTBOX_NO_TRANSACTION')
    t.match(response.json().message, `POST ${url}`)
  }
  t.same(await stored(), { orders: [], events: [] })
})

t.test('the payload comes out byte for byte as it was written', async t => {
  const texts = ['{"b":12345678901234567890,"a":1,"a":2, "n" : 1.0, "e":1e400 }', '{"ü":"\\u00fc\\/","z":[ ]}', '{}\n']
  const { app, database } = await buildApp(
    t,
    app => {
      app.post('/', { transaction: true }, async (_, reply) => {
        for (const text of texts) await reply.sendEvent(Loose, exactJson(text))
        await reply.sendEvent(Loose, { z: 1, a: new Date(0), gone: undefined } as object)
        return 'ok'
      })
    },
    { outboxOptions: { contracts } }
  )
  t.equal((await app.inject({ method: 'POST', url: '/' })).statusCode, 200)
  const { rows } = await database.pool.query('select payload::text from steadfast.event order by seq')
  t.same(
    rows.map(r => r.payload),
    [...texts, '{"z":1,"a":"1970-01-01T00:00:00.000Z"}']
  )
})

t.test('an answer that answers nothing fails the request, and nothing is stored', async t => {
  const data = Type.Object({})
  const Asked = defineEvent({ type: 'test.asked', topic: 'test.asked', data })
  const Answered = defineEvent({ type: 'test.answered', topic: 'test.x', data, answers: Asked })
  const { app, stored } = await buildApp(
    t,
    app => {
      app.post('/request', { transaction: true }, async (request, reply) => {
        await placeOrder(request, reply, 'a')
        await reply.sendEvent(Answered, {})
      })
      app.post('/handler', { transaction: true }, async (request, reply) => {
        app.outbox
          .control(request.tx)
          .causedBy({ eventId: '01890000-0000-7000-8000-000000000001', eventType: 'test.other' })
        await placeOrder(request, reply, 'a')
        await reply.sendEvent(Answered, {})
      })
    },
    { outboxOptions: { contracts: [Asked, Answered, OrderPlaced] } }
  )
  for (const url of ['/request', '/handler']) {
    const response = await app.inject({ method: 'POST', url })
    t.same([response.statusCode, response.json().code], [500, 'SF_OUTBOX_ANSWERS_NOTHING'], url)
  }
  t.same(await stored(), { orders: [], events: [] })
  t.throws(() => app.outbox.prepare(Answered, {}), { code: 'SF_OUTBOX_ANSWERS_NOTHING' })
  const inReplyTo = '01890000-0000-7000-8000-000000000002'
  t.equal(app.outbox.prepare(Answered, {}, { inReplyTo }).causationId, inReplyTo)
})

t.test('what the row says of the event', async t => {
  const Asked = defineEvent({
    type: 'test.asked',
    topic: 'test.asked',
    key: data => data.orderId,
    dataVersion: '2',
    awaits: { from: 'other', confirmWithinMs: 5000 },
    data: Type.Object({ orderId: Type.String() })
  })
  const Answered = defineEvent({ type: 'test.answered', topic: 'test.x', data: Type.Object({}), answers: Asked })
  const asked = '01890000-0000-7000-8000-000000000001'
  const { app, database } = await buildApp(
    t,
    app => {
      app.post('/', { transaction: true }, async (request, reply) => {
        await reply.sendEvent(Asked, { orderId: 'a' })
        app.outbox.control(request.tx).causedBy({ eventId: asked, eventType: 'test.asked', correlationId: 'c' })
        await reply.sendEvent(Answered, {})
        await reply.sendEvent(OrderPlaced, { orderId: 'b' }, { headers: { traceparent: 'mine' } })
        return 'ok'
      })
    },
    { outboxOptions: { contracts: [Asked, Answered, OrderPlaced], maxSends: 3, resendBackoff: 1 } }
  )
  const headers = { traceparent: 'theirs', tracestate: 'x=1', cookie: 'secret' }
  t.equal((await app.inject({ method: 'POST', url: '/', headers })).statusCode, 200)
  t.match(await expectEvent(database.pool, Asked, { orderId: 'a' }), {
    source: 'test',
    status: 'NEW',
    due: true,
    key: 'a',
    awaitsFrom: 'other',
    replyTo: 'test.signals',
    confirmWithinMs: 5000,
    resendBackoff: 1,
    maxSends: 3,
    causationId: null,
    isAnswer: false,
    headers: { traceparent: 'theirs', tracestate: 'x=1', cookie: undefined }
  })
  t.match(await expectEvent(database.pool, Answered), { causationId: asked, isAnswer: true, correlationId: 'c' })
  t.match(await expectEvent(database.pool, OrderPlaced), {
    causationId: asked,
    isAnswer: false,
    correlationId: 'c',
    headers: { traceparent: 'mine' }
  })
  await t.rejects(expectEvent(database.pool, OrderPlaced, { orderId: 'z' }), { message: /"orderId":"b"/ })
})

t.test('an interceptor replaces events or holds them back', async t => {
  const { app, stored } = await buildApp(t, app => {
    app.post('/', { transaction: true }, async (request, reply) => {
      app.outbox
        .control(request.tx)
        .intercept(event => (event.key === 'held' ? undefined : { ...event, key: `${event.key}!` }))
      const held = await reply.sendEvent(OrderPlaced, { orderId: 'held' })
      const sent = await reply.sendEvent(OrderPlaced, { orderId: 'sent' })
      return [held.key, sent.key]
    })
  })
  t.same((await app.inject({ method: 'POST', url: '/' })).json(), ['held', 'sent!'])
  t.same((await stored()).events, ['sent!'])
})

t.test('types: data are those of the contract', async t => {
  const { app } = await buildApp(t, () => {})
  // @ts-expect-error orderId is a string
  t.throws(() => app.outbox.prepare(OrderPlaced, { orderId: 1 }), { code: 'SF_EVENTS_DATA_REFUSED' })
  // @ts-expect-error orderId is missing
  t.throws(() => app.outbox.prepare(OrderPlaced, {}), { code: 'SF_EVENTS_DATA_REFUSED' })
})
