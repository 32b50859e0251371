import { Readable } from 'node:stream'
import t from 'tap'
import { buildApp, order, stored } from './helpers/build-app.ts'

t.test('a second request with the key gets the first answer, byte for byte, and the handler does not run', async t => {
  const { app, database } = await buildApp(t)
  const first = await app.inject(order('k'))
  t.equal(first.statusCode, 202)
  t.equal(first.headers['idempotency-replayed'], undefined)
  const second = await app.inject(order('k'))
  t.equal(second.statusCode, 202)
  t.equal(second.body, first.body)
  t.equal(second.headers['content-type'], first.headers['content-type'])
  t.equal(second.headers.location, first.headers.location)
  t.equal(second.headers['idempotency-replayed'], 'true')
  t.same(await stored(database), { orders: 1, events: 1, keys: 1 })
  // The form of the IETF draft: a string in quotes.
  t.equal((await app.inject(order('"k"'))).headers['idempotency-replayed'], 'true')
  t.equal((await app.inject(order('other'))).statusCode, 202)
  t.same(await stored(database), { orders: 2, events: 2, keys: 2 })
})

t.test('what is stored is what was sent: after other onSend hooks, and whatever its form', async t => {
  const answers: Record<string, unknown> = {
    json: { n: 1 },
    text: 'text',
    bytes: Buffer.from([0, 255, 1]),
    nothing: undefined
  }
  const { app } = await buildApp(t, app => {
    app.addHook('onSend', async (request, _, payload) => (request.url === '/json' ? `${payload} ` : payload))
    for (const name of Object.keys(answers))
      app.post(`/${name}`, { transaction: true, idempotencyKey: true }, async (_, reply) =>
        reply.code(name === 'nothing' ? 204 : 201).send(answers[name])
      )
  })
  for (const name of Object.keys(answers)) {
    const request = { ...order('k'), url: `/${name}` }
    const first = await app.inject(request)
    const second = await app.inject(request)
    t.equal(second.headers['idempotency-replayed'], 'true')
    t.equal(second.statusCode, first.statusCode)
    t.equal(second.headers['content-type'], first.headers['content-type'])
    if (name !== 'json') t.same(second.rawPayload, first.rawPayload, name)
  }
  t.pass()
})

t.test('another body or address under the key is refused', async t => {
  const { app, database } = await buildApp(t)
  t.equal((await app.inject(order('k'))).statusCode, 202)
  for (const other of [order('k', { product: 'b' }), { ...order('k'), url: '/orders?x=1' }]) {
    const response = await app.inject(other)
    t.equal(response.statusCode, 422)
    t.equal(response.json().code, 'SF_IDEMPOTENCY_KEY_REUSED')
  }
  t.same(await stored(database), { orders: 1, events: 1, keys: 1 })
})

t.test('a request that fails stores nothing, and its key is free', async t => {
  let status = 409
  const { app, database } = await buildApp(t, app => {
    app.post('/orders', { transaction: true, idempotencyKey: true }, async (request, reply) => {
      await request.tx.query('insert into orders default values')
      if (status === 500) throw new Error('no')
      return reply.code(status).send({ status })
    })
  })
  t.equal((await app.inject(order('k'))).statusCode, 409)
  status = 500
  t.equal((await app.inject(order('k'))).statusCode, 500)
  t.same(await stored(database), { orders: 0, events: 0, keys: 0 })
  status = 201
  const response = await app.inject(order('k', { corrected: true }))
  t.equal(response.statusCode, 201)
  t.same(await stored(database), { orders: 1, events: 0, keys: 1 })
})

t.test('a failed request that commits on demand is replayed as well', async t => {
  const { app, database } = await buildApp(t, app => {
    app.post('/orders', { transaction: { commitOnError: true }, idempotencyKey: true }, async (request, reply) => {
      await request.tx.query('insert into orders default values')
      return reply.code(402).send({ paid: false })
    })
  })
  t.equal((await app.inject(order('k'))).statusCode, 402)
  const second = await app.inject(order('k'))
  t.equal(second.statusCode, 402)
  t.equal(second.headers['idempotency-replayed'], 'true')
  t.same(await stored(database), { orders: 1, events: 0, keys: 1 })
})

t.test('a stream cannot be stored: refused, rolled back', async t => {
  const { app, database } = await buildApp(t, app => {
    app.post<{ Querystring: { kind: string } }>(
      '/orders',
      { transaction: true, idempotencyKey: true },
      async request => {
        await request.tx.query('insert into orders default values')
        return request.query.kind === 'web' ? new Response('x') : Readable.from(['x'])
      }
    )
  })
  for (const kind of ['node', 'web']) {
    const response = await app.inject({ ...order('k'), url: `/orders?kind=${kind}` })
    t.equal(response.statusCode, 500)
    t.equal(response.json().code, 'SF_IDEMPOTENCY_KEY_STREAM')
  }
  t.same(await stored(database), { orders: 0, events: 0, keys: 0 })
})

t.test('an expired key is free again', async t => {
  const { app, database } = await buildApp(t)
  t.equal((await app.inject(order('k'))).statusCode, 202)
  await database.pool.query('update steadfast.idempotency set expires_at = clock_timestamp()')
  const response = await app.inject(order('k', { product: 'another' }))
  t.equal(response.statusCode, 202)
  t.equal(response.headers['idempotency-replayed'], undefined)
  t.equal((await app.inject(order('k', { product: 'another' }))).headers['idempotency-replayed'], 'true')
  t.same(await stored(database), { orders: 2, events: 2, keys: 1 })
  const { rows } = await database.pool.query(
    "select expires_at - created_at = interval '24 hours' as day from steadfast.idempotency"
  )
  t.same(rows, [{ day: true }])
})
