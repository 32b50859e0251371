import t from 'tap'
import { buildApp, OrderPlaced } from './helpers/build-app.ts'

// slot already holds 1, and looks for duplicates at COMMIT only.
t.test('a deferred constraint that fails at COMMIT fails the request', async t => {
  const { app, stored, quiet } = await buildApp(t, app => {
    app.post('/with-event', { transaction: true }, async (request, reply) => {
      await request.tx.query("insert into orders values ('a')")
      await request.tx.query('insert into slot values (1)')
      await reply.sendEvent(OrderPlaced, { orderId: 'a' })
      return 'ok'
    })
    app.post('/without-event', { transaction: true }, async request => {
      await request.tx.query("insert into orders values ('a')")
      await request.tx.query('insert into slot values (1)')
      return 'ok'
    })
    app.post('/good', { transaction: true }, async request => {
      await request.tx.query("insert into orders values ('good')")
      return 'ok'
    })
  })
  for (const url of ['/with-event', '/without-event']) {
    const response = await app.inject({ method: 'POST', url })
    t.equal(response.statusCode, 500)
    t.equal(response.json().code, '23505')
    t.same(await stored(), { orders: [], events: [] })
  }
  t.equal((await app.inject({ method: 'POST', url: '/good' })).statusCode, 200)
  t.same((await stored()).orders, ['good'])
  await quiet()
})
