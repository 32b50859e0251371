import type { FastifyRequest } from 'fastify'
import t from 'tap'
import { readKey } from '../src/read-key.ts'
import { buildApp, order, orderRoutes, stored } from './helpers/build-app.ts'

t.test('keys as they may come', async t => {
  t.equal(readKey(undefined), undefined)
  t.equal(readKey('8e03978e-40d5-43e8-bc93-6894a57f9324'), '8e03978e-40d5-43e8-bc93-6894a57f9324')
  t.equal(readKey('"8e03978e"'), '8e03978e')
  t.equal(readKey(' "a \\"b\\" \\\\" '), 'a "b" \\')
  for (const header of ['', '""', '"a', 'a"b', 'a, b', 'é', 'x'.repeat(256), ['a', 'b']])
    t.throws(() => readKey(header), { code: 'SF_IDEMPOTENCY_KEY_INVALID' }, String(header))
})

t.test('without the header a request is handled, unless the route requires it', async t => {
  const { app, database } = await buildApp(t, app => {
    orderRoutes(app)
    app.post('/strict', { transaction: true, idempotencyKey: { required: true } }, async () => 'ok')
  })
  const plain = { method: 'POST', url: '/orders', payload: {} } as const
  t.equal((await app.inject(plain)).statusCode, 202)
  t.equal((await app.inject(plain)).statusCode, 202)
  t.same(await stored(database), { orders: 2, events: 2, keys: 0 })
  const missing = await app.inject({ ...plain, url: '/strict' })
  t.equal(missing.statusCode, 400)
  t.equal(missing.json().code, 'SF_IDEMPOTENCY_KEY_MISSING')
  t.equal((await app.inject(order('x'.repeat(300)))).json().code, 'SF_IDEMPOTENCY_KEY_INVALID')
})

t.test('a request that is refused before the handler takes no key', async t => {
  const { app, database } = await buildApp(t, app => {
    const schema = { body: { type: 'object', required: ['product'] } }
    const preHandler = async (request: { headers: Record<string, unknown> }) => {
      if (request.headers.authorization === undefined) throw Object.assign(new Error('who?'), { statusCode: 401 })
    }
    app.post('/orders', { transaction: true, idempotencyKey: true, schema, preHandler }, async () => 'ok')
  })
  t.equal((await app.inject(order('k', {}))).statusCode, 400)
  t.equal((await app.inject(order('k'))).statusCode, 401)
  t.same(await stored(database), { orders: 0, events: 0, keys: 0 })
  const good = { ...order('k'), headers: { 'idempotency-key': 'k', authorization: 'me' } }
  t.equal((await app.inject(good)).statusCode, 200)
  t.equal((await app.inject(order('k'))).statusCode, 401, 'an answer is replayed only to who is allowed')
  t.equal((await app.inject(good)).headers['idempotency-replayed'], 'true')
})

t.test('a handler that goes back to before the key has no effect', async t => {
  const { app, database } = await buildApp(t, app => {
    const preHandler = async (request: FastifyRequest) => void (await request.tx.query('savepoint before'))
    app.post('/orders', { transaction: true, idempotencyKey: true, preHandler }, async request => {
      await request.tx.query('rollback to before')
      await request.tx.query('insert into orders default values')
      return 'ok'
    })
  })
  const response = await app.inject(order('k'))
  t.equal(response.statusCode, 500)
  t.equal(response.json().code, 'SF_IDEMPOTENCY_KEY_UNDONE')
  t.same(await stored(database), { orders: 0, events: 0, keys: 0 })
})

t.test('a route without a transaction is refused at once, and so is a misspelt option', async t => {
  await buildApp(t, app => {
    t.throws(() => app.post('/', { idempotencyKey: true }, async () => 'ok'), {
      code: 'SF_IDEMPOTENCY_KEY_NEEDS_TRANSACTION'
    })
  })
  await t.rejects(
    buildApp(t, () => {}, { ttl: 1 } as object),
    { code: 'SF_OPTIONS_INVALID', message: /ttlMs/ }
  )
  await t.rejects(
    buildApp(t, () => {}, { principal: 'me' } as object),
    { code: 'SF_OPTIONS_INVALID', message: /"principal" must be a function/ }
  )
  await t.rejects(
    buildApp(t, () => {}, { schema: 'nowhere' }),
    { code: 'SF_STORE_SCHEMA_OLDER' }
  )
  await t.rejects(
    buildApp(t, () => {}, { schema: 'x"; drop' }),
    { code: 'SF_STORE_IDENTIFIER_INVALID' }
  )
})
