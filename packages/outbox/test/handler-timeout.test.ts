import { until } from '@steadfast/dev-services'
import t from 'tap'
import { buildApp, placeOrder } from './helpers/build-app.ts'
import { deferred } from './helpers/deferred.ts'

t.test('a handler that takes too long is answered 503 and rolled back; its handle is closed', async t => {
  const answered = deferred()
  const late = deferred<unknown>()
  const { app, stored, quiet } = await buildApp(t, app => {
    app.post('/', { transaction: true, handlerTimeout: 50 }, async (request, reply) => {
      // On a busy machine even this may come too late.
      await placeOrder(request, reply, 'a').catch(() => {})
      await answered.promise
      late.resolve(await request.tx.query("insert into orders values ('late')").catch(error => error.code))
      return 'ok'
    })
  })
  const response = await app.inject({ method: 'POST', url: '/' })
  answered.resolve()
  t.equal(response.statusCode, 503)
  t.equal(response.json().code, 'FST_ERR_HANDLER_TIMEOUT')
  t.equal(await late.promise, 'SF_OUTBOX_TRANSACTION_CLOSED')
  t.same(await stored(), { orders: [], events: [] })
  await quiet()
})

t.test('a handler stuck in a statement loses its connection, and the statement ends by statement_timeout', async t => {
  const failed = deferred<unknown>()
  const { app, stored, quiet, database } = await buildApp(
    t,
    app => {
      app.post('/', { transaction: true, handlerTimeout: 50 }, async (request, reply) => {
        await placeOrder(request, reply, 'a').catch(() => {})
        await request.tx.query('select pg_sleep(60)').catch(error => failed.resolve(error.code))
        return 'ok'
      })
      app.post('/slow', { transaction: true }, async (request, reply) => {
        await placeOrder(request, reply, 'slow')
        await request.tx.query('select pg_sleep(60)')
        return 'ok'
      })
    },
    { pool: { max: 1 }, outboxOptions: { statementTimeoutMs: 1000 } }
  )
  t.equal((await app.inject({ method: 'POST', url: '/' })).statusCode, 503)
  t.equal(await failed.promise, 'SF_OUTBOX_TRANSACTION_CLOSED')
  await until(
    async () => {
      const { rows } = await database.pool.query(
        "select 1 from pg_stat_activity where datname = current_database() and state = 'active' and query like '%pg_sleep(60)' and pid <> pg_backend_pid()"
      )
      return rows.length === 0
    },
    { what: 'the end of the statement' }
  )
  const response = await app.inject({ method: 'POST', url: '/slow' })
  t.equal(response.statusCode, 500)
  t.equal(response.json().code, '57014')
  t.same(await stored(), { orders: [], events: [] })
  await quiet()
})

t.test('a handler that idles in its transaction loses it', async t => {
  const { app, stored, quiet } = await buildApp(
    t,
    app => {
      app.post('/', { transaction: true }, async (request, reply) => {
        await placeOrder(request, reply, 'a')
        await until(() => app.outbox.control(request.tx).error, { what: 'the end of the session' })
        return 'ok'
      })
    },
    { outboxOptions: { idleInTransactionTimeoutMs: 100 } }
  )
  const response = await app.inject({ method: 'POST', url: '/' })
  t.equal(response.statusCode, 503)
  t.equal(response.json().code, 'SF_OUTBOX_CONNECTION_LOST')
  t.same(await stored(), { orders: [], events: [] })
  await quiet()
})

t.test('a handler that ends while its timeout is being answered disturbs nothing', async t => {
  const { app, stored, quiet } = await buildApp(t, app => {
    app.post('/', { transaction: true, handlerTimeout: 50 }, async (request, reply) => {
      await placeOrder(request, reply, request.id)
      await request.tx.query('select pg_sleep(0.1)').catch(() => {})
      return 'ok'
    })
  })
  const responses = await Promise.all(Array.from({ length: 8 }, () => app.inject({ method: 'POST', url: '/' })))
  t.same(new Set(responses.map(response => response.json().code)), new Set(['FST_ERR_HANDLER_TIMEOUT']))
  t.same(await stored(), { orders: [], events: [] })
  await quiet()
})

t.test('a transaction that is first asked for after the timeout is closed, and holds no connection', async t => {
  const answered = deferred()
  const late = deferred<unknown>()
  const { app, quiet } = await buildApp(t, app => {
    app.post('/', { transaction: true, handlerTimeout: 50 }, async request => {
      await answered.promise
      late.resolve(await request.tx.query('select 1').catch(error => error.code))
      return 'ok'
    })
  })
  t.equal((await app.inject({ method: 'POST', url: '/' })).json().code, 'FST_ERR_HANDLER_TIMEOUT')
  answered.resolve()
  t.equal(await late.promise, 'SF_OUTBOX_TRANSACTION_CLOSED')
  await quiet()
})
