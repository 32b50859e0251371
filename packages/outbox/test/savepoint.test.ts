import t from 'tap'
import { buildApp, OrderPlaced, placeOrder } from './helpers/build-app.ts'

t.test('events sent after a savepoint that is rolled back go with it', async t => {
  const told: string[] = []
  const { app, stored, quiet, database } = await buildApp(t, app => {
    app.post('/', { transaction: true }, async (request, reply) => {
      await placeOrder(request, reply, 'kept')
      await request.tx.query('-- a try\n SavePoint attempt')
      await placeOrder(request, reply, 'gone')
      await request.tx.query('rollback to savepoint attempt')
      await placeOrder(request, reply, 'later')
      return 'ok'
    })
    app.post('/recovered', { transaction: true }, async (request, reply) => {
      await request.tx.query('savepoint a')
      await placeOrder(request, reply, 'gone')
      await request.tx.query('select 1/0').catch(() => {})
      await request.tx.query('rollback work to a; release a')
      await request.tx.query('savepoint b')
      await request.tx.query('select $1::json', [{ n: 1n }]).catch(() => {})
      await request.tx.query('rollback to b')
      await placeOrder(request, reply, 'recovered')
      return 'ok'
    })
    app.outbox.onCommit(events => told.push(...events.map(e => e.key)))
  })
  t.equal((await app.inject({ method: 'POST', url: '/' })).statusCode, 200)
  t.same(await stored(), { orders: ['kept', 'later'], events: ['kept', 'later'] })
  t.equal((await app.inject({ method: 'POST', url: '/recovered' })).statusCode, 200)
  t.same(await stored(), { orders: ['kept', 'later', 'recovered'], events: ['kept', 'later', 'recovered'] })
  t.same(told, ['kept', 'later', 'recovered'], 'nobody is told of what was rolled back')
  const { rows } = await database.pool.query('select key from steadfast.event order by seq')
  t.same(
    rows.map(r => r.key),
    ['kept', 'later', 'recovered'],
    'in the order they were sent'
  )
  await quiet()
})

t.test('a savepoint nobody rolls back keeps its events', async t => {
  const { app, stored } = await buildApp(t, app => {
    app.post('/', { transaction: true }, async (request, reply) => {
      await request.tx.query("insert into orders values ('a'); savepoint s")
      await reply.sendEvent(OrderPlaced, { orderId: 'a' })
      await request.tx.query('release s')
      return 'ok'
    })
  })
  t.equal((await app.inject({ method: 'POST', url: '/' })).statusCode, 200)
  t.same(await stored(), { orders: ['a'], events: ['a'] })
})

t.test('a savepoint within a failed request goes with everything', async t => {
  const { app, stored, quiet } = await buildApp(t, app => {
    app.post('/', { transaction: true }, async (request, reply) => {
      await request.tx.query('savepoint s')
      await placeOrder(request, reply, 'a')
      return reply.code(400).send('no')
    })
  })
  t.equal((await app.inject({ method: 'POST', url: '/' })).statusCode, 400)
  t.same(await stored(), { orders: [], events: [] })
  await quiet()
})
