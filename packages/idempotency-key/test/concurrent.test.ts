import t from 'tap'
import { buildApp, order, orderRoutes, stored } from './helpers/build-app.ts'

t.test('20 requests at once with one key: one effect, one answer for all', async t => {
  const { app, database } = await buildApp(t, orderRoutes, { waitMs: 10_000 })
  const answers = await Promise.all(Array.from({ length: 20 }, () => app.inject(order('k'))))
  t.same(new Set(answers.map(a => a.statusCode)), new Set([202]))
  t.equal(new Set(answers.map(a => a.body)).size, 1)
  t.equal(answers.filter(a => a.headers['idempotency-replayed'] === undefined).length, 1)
  t.same(await stored(database), { orders: 1, events: 1, keys: 1 })
})

t.test('a request that waits too long is told to come again; the handler keeps its own lock_timeout', async t => {
  let proceed = () => {}
  const working = new Promise<void>(started => {
    proceed = started
  })
  let finish = () => {}
  const finished = new Promise<void>(done => {
    finish = done
  })
  const { app, database } = await buildApp(
    t,
    app => {
      // of the session, which is not what the role or the server would set
      app.pg.pool.on('connect', client => void client.query(`set lock_timeout to '750ms'`))
      app.post('/orders', { transaction: true, idempotencyKey: true }, async request => {
        await request.tx.query('insert into orders default values')
        proceed()
        await finished
        return (await request.tx.query('show lock_timeout')).rows
      })
    },
    { waitMs: 50 }
  )
  const first = app.inject(order('k'))
  await working
  const second = await app.inject(order('k'))
  t.equal(second.statusCode, 409)
  t.equal(second.json().code, 'SF_IDEMPOTENCY_KEY_IN_PROGRESS')
  t.equal(second.headers['retry-after'], '1')
  finish()
  t.same((await first).json(), [{ lock_timeout: '750ms' }])
  const third = await app.inject(order('k'))
  t.equal(third.headers['idempotency-replayed'], 'true')
  t.same(await stored(database), { orders: 1, events: 0, keys: 1 })
})

t.test('when the first one fails, one of those waiting takes over', async t => {
  let calls = 0
  const { app, database } = await buildApp(
    t,
    app => {
      app.post('/orders', { transaction: true, idempotencyKey: true }, async request => {
        await request.tx.query('insert into orders default values')
        if (++calls === 1) throw new Error('no')
        return 'ok'
      })
    },
    { waitMs: 10_000 }
  )
  const answers = await Promise.all(Array.from({ length: 5 }, () => app.inject(order('k'))))
  t.same(answers.map(a => a.statusCode).sort(), [200, 200, 200, 200, 500])
  t.equal(calls, 2)
  t.same(await stored(database), { orders: 1, events: 0, keys: 1 })
})
