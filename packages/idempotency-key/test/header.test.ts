import { until } from '@steadfast/dev-services'
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

t.test('a request that is not valid takes no key', async t => {
  const { app, database } = await buildApp(t, app => {
    const schema = { body: { type: 'object', required: ['product'] } }
    app.post('/orders', { transaction: true, idempotencyKey: true, schema }, async () => 'ok')
  })
  t.equal((await app.inject(order('k', {}))).statusCode, 400)
  t.same(await stored(database), { orders: 0, events: 0, keys: 0 })
  t.equal((await app.inject(order('k'))).headers['idempotency-replayed'], undefined)
})

t.test('a handler that is no asynchronous function answers when it will, and is replayed', async t => {
  const { app } = await buildApp(t, app => {
    app.post('/orders', { transaction: true, idempotencyKey: true }, (_request, reply) => {
      setImmediate(() => reply.code(201).send({ late: true }))
    })
  })
  const first = await app.inject(order('k'))
  t.equal(first.statusCode, 201)
  t.equal(first.body, '{"late":true}')
  const second = await app.inject(order('k'))
  t.equal(second.headers['idempotency-replayed'], 'true')
  t.equal(second.body, first.body)
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

for (const what of ['finds nothing', 'finds an answer', 'fails'])
  t.test(`a request that times out while its key is looked up is answered once: meanwhile that ${what}`, async t => {
    let [calls, answers] = [0, 0]
    let meanwhile = async () => {}
    const { app, database } = await buildApp(t, app => {
      app.addHook('onSend', async () => {
        answers++
        await meanwhile()
      })
      app.post('/orders', { transaction: true, idempotencyKey: true, handlerTimeout: 200 }, async () => ++calls)
    })
    if (what === 'finds an answer')
      await until(async () => (await app.inject(order('k'))).statusCode === 200, { what: 'an answer in time' })
    const blocker = await database.pool.connect()
    t.teardown(() => blocker.release(true))
    await blocker.query('begin; lock table steadfast.idempotency')
    const lookUps = `select from pg_stat_activity
      where state = 'active' and query like '%steadfast.idempotency%' and pid <> pg_backend_pid()`
    // While the time-out is being answered.
    meanwhile = async () => {
      if (what === 'fails') await until(() => app.pg.pool.totalCount === 0, { what: 'the connection to be given up' })
      await blocker.query('rollback')
      await until(async () => (await blocker.query(lookUps)).rowCount === 0, { what: 'the look-up to end' })
      for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
    }
    ;[calls, answers] = [0, 0]
    const response = await app.inject(order('k'))
    t.equal(response.statusCode, 503)
    t.equal(response.json().code, 'FST_ERR_HANDLER_TIMEOUT')
    t.equal(response.headers['idempotency-replayed'], undefined)
    t.same({ calls, answers }, { calls: 0, answers: 1 })
  })

t.test('a route without a transaction is refused at once, and so are wrong options', async t => {
  await buildApp(t, app => {
    t.throws(() => app.post('/', { idempotencyKey: true }, async () => 'ok'), {
      code: 'SF_IDEMPOTENCY_KEY_NEEDS_TRANSACTION'
    })
    app.post('/later', { transaction: true, idempotencyKey: false }, async () => 'ok')
  })
  const refused = (options: object, error: { code: string; message?: RegExp }) =>
    t.rejects(
      buildApp(t, () => {}, options),
      error
    )
  await refused({ ttl: 1 }, { code: 'SF_OPTIONS_INVALID', message: /ttlMs/ })
  await refused({ principal: undefined }, { code: 'SF_OPTIONS_INVALID', message: /principal/ })
  for (const principal of ['me', '', null, {}])
    await refused({ principal }, { code: 'SF_OPTIONS_INVALID', message: /"principal" must be 'shared' or a function/ })
  for (const header of ['Set-Cookie', 'authorization', 'WWW-Authenticate', 'content-length', 'a b', ''])
    await refused(
      { headers: ['x-fine', header] },
      { code: 'SF_OPTIONS_INVALID', message: /"headers.1" must be the name/ }
    )
  await refused({ schema: 'nowhere' }, { code: 'SF_STORE_SCHEMA_OLDER' })
  await refused({ schema: 'x"; drop' }, { code: 'SF_STORE_IDENTIFIER_INVALID' })
})
