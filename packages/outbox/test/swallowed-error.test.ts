import t from 'tap'
import { buildApp, placeOrder } from './helpers/build-app.ts'

const nothing = { orders: [], events: [] }

t.test('a SQL error that the handler swallows fails the request', async t => {
  const { app, stored, quiet } = await buildApp(t, app => {
    app.post('/', { transaction: true }, async (request, reply) => {
      await placeOrder(request, reply, 'a')
      await request.tx.query('select 1/0').catch(() => {})
      return 'ok'
    })
    // Without an event, COMMIT itself tells by its tag.
    app.post('/no-event', { transaction: true }, async request => {
      await request.tx.query("insert into orders values ('a')")
      await request.tx.query('select 1/0').catch(() => {})
      return 'ok'
    })
  })
  for (const url of ['/', '/no-event']) {
    const response = await app.inject({ method: 'POST', url })
    t.equal(response.statusCode, 500)
    t.equal(response.json().code, 'SF_OUTBOX_NOT_COMMITTED')
    t.same(await stored(), nothing)
  }
  await quiet()
})

t.test('a statement that nobody awaited, and that failed, fails the request', async t => {
  const { app, stored, quiet } = await buildApp(t, app => {
    app.post('/sql', { transaction: true }, async (request, reply) => {
      await placeOrder(request, reply, 'a')
      request.tx.query('select 1/0')
      return 'ok'
    })
    // Fails in the driver: PostgreSQL never hears of it.
    app.post('/driver', { transaction: true }, async (request, reply) => {
      await placeOrder(request, reply, 'a')
      request.tx.query('select $1::json', [{ n: 1n }])
      return 'ok'
    })
  })
  for (const url of ['/sql', '/driver']) {
    const response = await app.inject({ method: 'POST', url })
    t.equal(response.statusCode, 500)
    t.equal(response.json().code, 'SF_OUTBOX_NOT_COMMITTED')
    t.same(await stored(), nothing)
  }
  await quiet()
})

t.test('statements not awaited and asked for before the answer are part of the transaction', async t => {
  const { app, stored, quiet } = await buildApp(t, app => {
    app.post('/', { transaction: true }, async request => {
      for (const id of ['a', 'b', 'c']) request.tx.query('insert into orders values ($1)', [id])
      return 'ok'
    })
  })
  t.equal((await app.inject({ method: 'POST', url: '/' })).statusCode, 200)
  t.same((await stored()).orders, ['a', 'b', 'c'])
  await quiet()
})
