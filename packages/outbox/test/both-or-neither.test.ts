import t from 'tap'
import { buildApp, OrderPlaced } from './helpers/build-app.ts'

t.test('a request below 400 stores the row and the event', async t => {
  const { app, stored, quiet } = await buildApp(t, app => {
    app.post<{ Params: { id: string } }>('/orders/:id', { transaction: true }, async (request, reply) => {
      await request.tx.query('insert into orders (id) values ($1)', [request.params.id])
      const event = await reply.sendEvent(OrderPlaced, { orderId: request.params.id })
      return reply.code(202).send({ eventId: event.id })
    })
  })
  const response = await app.inject({ method: 'POST', url: '/orders/a' })
  t.equal(response.statusCode, 202)
  t.match(response.json().eventId, /^[0-9a-f-]{36}$/)
  t.same(await stored(), { orders: ['a'], events: ['a'] })
  await quiet()
})

t.test('a request that uses no transaction takes no connection', async t => {
  const { app } = await buildApp(t, app => {
    app.post('/', { transaction: true }, async () => 'ok')
  })
  t.equal((await app.inject({ method: 'POST', url: '/' })).statusCode, 200)
  // One was used by the check of the schema.
  t.equal(app.pg.pool.totalCount, 1)
})
