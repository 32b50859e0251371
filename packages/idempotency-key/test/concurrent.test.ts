import { until } from '@steadfast/dev-services'
import t from 'tap'
import { buildApp, order, orderRoutes, stored } from './helpers/build-app.ts'

/** Something that happens once, and can be waited for. */
function happening() {
  let resolve = () => {}
  const promise = new Promise<void>(done => {
    resolve = done
  })
  return { promise, resolve }
}

t.test('20 requests at once with one key: one effect, one answer for all', async t => {
  const { app, database } = await buildApp(t)
  const answered = async () => {
    const response = await app.inject(order('k'))
    return response.statusCode !== 409 && response
  }
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => until(answered, { what: 'an answer', timeoutMs: 60_000 }))
  )
  t.same(new Set(answers.map(a => a.statusCode)), new Set([202]))
  t.equal(new Set(answers.map(a => a.body)).size, 1)
  t.equal(answers.filter(a => a.headers['idempotency-replayed'] === undefined).length, 1)
  t.same(await stored(database), { orders: 1, events: 1, keys: 1 })
})

t.test('repetitions of a request in progress are answered at once and hold no connection', async t => {
  const [working, finish] = [happening(), happening()]
  const { app, database } = await buildApp(
    t,
    app => {
      // of the session, which is not what the role or the server would set
      app.pg.pool.on('connect', client => void client.query(`set lock_timeout to '750ms'`))
      app.post('/orders', { transaction: true, idempotencyKey: true }, async request => {
        await request.tx.query('insert into orders default values')
        working.resolve()
        await finish.promise
        return (await request.tx.query('show lock_timeout')).rows
      })
      app.post('/other', { transaction: true }, async request => (await request.tx.query('select 1 as one')).rows)
    },
    // One connection for the first request, three for all others: those that wait would hold them.
    { max: 4, outbox: { connectTimeoutMs: 20_000, statementTimeoutMs: 20_000 } }
  )
  const first = app.inject(order('k'))
  await working.promise
  const repetitions = Array.from({ length: 25 }, () => app.inject(order('k')))
  const other = await app.inject({ method: 'POST', url: '/other' })
  t.same(other.json(), [{ one: 1 }])
  for (const repetition of await Promise.all(repetitions)) {
    t.equal(repetition.statusCode, 409)
    t.equal(repetition.json().code, 'SF_IDEMPOTENCY_KEY_IN_PROGRESS')
    t.equal(repetition.headers['retry-after'], '1')
  }
  finish.resolve()
  t.same((await first).json(), [{ lock_timeout: '750ms' }], 'the handler has the lock_timeout of its session')
  t.equal((await app.inject(order('k'))).headers['idempotency-replayed'], 'true')
  t.same(await stored(database), { orders: 1, events: 0, keys: 1 })
})

t.test('when the first one fails, its key is free: the next one is handled', async t => {
  const [working, fail] = [happening(), happening()]
  let calls = 0
  const { app, database } = await buildApp(t, app => {
    app.post('/orders', { transaction: true, idempotencyKey: true }, async request => {
      await request.tx.query('insert into orders default values')
      if (++calls > 1) return 'ok'
      working.resolve()
      await fail.promise
      throw new Error('no')
    })
  })
  const first = app.inject(order('k'))
  await working.promise
  t.equal((await app.inject(order('k'))).statusCode, 409)
  fail.resolve()
  t.equal((await first).statusCode, 500)
  const second = await app.inject(order('k'))
  t.equal(second.statusCode, 200)
  t.equal(second.headers['idempotency-replayed'], undefined)
  t.same(await stored(database), { orders: 1, events: 0, keys: 1 })
})

t.test('a stored answer is given to many at once', async t => {
  const { app } = await buildApp(t, orderRoutes)
  await app.inject(order('k'))
  const answers = await Promise.all(Array.from({ length: 20 }, () => app.inject(order('k'))))
  t.same(new Set(answers.map(a => a.statusCode)), new Set([202]))
})
