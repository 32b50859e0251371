import t from 'tap'
import { buildApp, OrderPlaced, placeOrder } from './helpers/build-app.ts'

const nothing = { orders: [], events: [] }
const post = (url: string) => ({ method: 'POST', url }) as const

t.test('a request below 400 stores the row and the event', async t => {
  const { app, stored, quiet } = await buildApp(t, app => {
    app.post<{ Params: { id: string } }>('/orders/:id', { transaction: true }, async (request, reply) => {
      await request.tx.query('insert into orders (id) values ($1)', [request.params.id])
      const event = await reply.sendEvent(OrderPlaced, { orderId: request.params.id })
      return reply.code(202).send({ eventId: event.id })
    })
  })
  const response = await app.inject(post('/orders/a'))
  t.equal(response.statusCode, 202)
  t.match(response.json().eventId, /^[0-9a-f-]{36}$/)
  t.same(await stored(), { orders: ['a'], events: ['a'] })
  await quiet()
})

t.test('an event alone is stored', async t => {
  const { app, stored } = await buildApp(t, app => {
    app.post('/', { transaction: true }, async (_, reply) => {
      await reply.sendEvent(OrderPlaced, { orderId: 'a' })
      return 'ok'
    })
  })
  t.equal((await app.inject(post('/'))).statusCode, 200)
  t.same(await stored(), { orders: [], events: ['a'] })
})

t.test('a request that uses no transaction takes no connection', async t => {
  const { app } = await buildApp(t, app => {
    app.post('/', { transaction: true }, async () => 'ok')
  })
  // The check of the schema used one.
  const before = app.pg.pool.totalCount
  t.equal((await app.inject(post('/'))).statusCode, 200)
  t.equal(app.pg.pool.totalCount, before)
})

t.test('a handler that throws stores nothing', async t => {
  const { app, stored, quiet } = await buildApp(t, app => {
    app.post('/', { transaction: true }, async (request, reply) => {
      await placeOrder(request, reply, 'a')
      throw new Error('no')
    })
  })
  t.equal((await app.inject(post('/'))).statusCode, 500)
  t.same(await stored(), nothing)
  await quiet()
})

t.test('an answer of 400 or more stores nothing, unless the route says so', async t => {
  const { app, stored, quiet } = await buildApp(t, app => {
    for (const [url, transaction] of [
      ['/plain', true],
      ['/kept', { commitOnError: true }]
    ] as const)
      app.post(url, { transaction }, async (request, reply) => {
        await placeOrder(request, reply, url)
        return reply.code(409).send({ no: true })
      })
    app.post('/thrown', { transaction: { commitOnError: true } }, async (request, reply) => {
      await placeOrder(request, reply, '/thrown')
      throw new Error('no')
    })
  })
  t.equal((await app.inject(post('/plain'))).statusCode, 409)
  t.same(await stored(), nothing)
  t.equal((await app.inject(post('/thrown'))).statusCode, 500)
  t.same(await stored(), nothing)
  t.equal((await app.inject(post('/kept'))).statusCode, 409)
  t.same(await stored(), { orders: ['/kept'], events: ['/kept'] })
  await quiet()
})

t.test('an error handler changes nothing: what threw is rolled back, whatever the answer', async t => {
  const { app, stored, quiet } = await buildApp(t, app => {
    app.setErrorHandler((_, request, reply) => reply.code(Number(request.headers['x-status'])).send({ handled: true }))
    app.post('/', { transaction: true }, async (request, reply) => {
      await placeOrder(request, reply, 'a')
      throw new Error('no')
    })
  })
  for (const status of ['200', '422', '500']) {
    const response = await app.inject({ method: 'POST', url: '/', headers: { 'x-status': status } })
    t.equal(response.statusCode, Number(status))
    t.same(response.json(), { handled: true })
    t.same(await stored(), nothing)
  }
  await quiet()
})

t.test('the status of a Response object counts', async t => {
  const { app, stored, quiet } = await buildApp(t, app => {
    app.post<{ Params: { status: string } }>('/:status', { transaction: true }, async (request, reply) => {
      await placeOrder(request, reply, request.params.status)
      return new Response('text', { status: Number(request.params.status) })
    })
  })
  t.equal((await app.inject(post('/500'))).statusCode, 500)
  t.same(await stored(), nothing)
  t.equal((await app.inject(post('/201'))).statusCode, 201)
  t.same(await stored(), { orders: ['201'], events: ['201'] })
  await quiet()
})

t.test('GET routes and the HEAD routes made of them commit once', async t => {
  const { app, stored, quiet } = await buildApp(t, app => {
    app.get('/', { transaction: true }, async (request, reply) => {
      await placeOrder(request, reply, request.method)
      return 'ok'
    })
  })
  t.equal((await app.inject({ method: 'GET', url: '/' })).statusCode, 200)
  t.equal((await app.inject({ method: 'HEAD', url: '/' })).statusCode, 200)
  t.same(await stored(), { orders: ['GET', 'HEAD'], events: ['GET', 'HEAD'] })
  await quiet()
})

t.test('a route that hands over to the not-found handler stores nothing', async t => {
  const { app, stored, quiet } = await buildApp(t, app => {
    app.post('/', { transaction: true }, async (request, reply) => {
      await placeOrder(request, reply, 'a')
      reply.callNotFound()
      return reply
    })
  })
  t.equal((await app.inject(post('/'))).statusCode, 404)
  await quiet()
  t.same(await stored(), nothing)
})

t.test('an answer that cannot be serialized stores nothing', async t => {
  const { app, stored, quiet } = await buildApp(t, app => {
    app.post('/', { transaction: true }, async (request, reply) => {
      await placeOrder(request, reply, 'a')
      return { n: 1n }
    })
  })
  t.equal((await app.inject(post('/'))).statusCode, 500)
  t.same(await stored(), nothing)
  await quiet()
})
