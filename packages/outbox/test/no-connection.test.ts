import { startProxy, type TcpProxy } from '@steadfast/dev-services'
import t from 'tap'
import { buildApp, placeOrder } from './helpers/build-app.ts'
import { deferred } from './helpers/deferred.ts'

t.test('pool exhausted: 503 with Retry-After, and the connection that comes late is given back', async t => {
  const held = deferred()
  const holding = deferred()
  const { app, stored, quiet } = await buildApp(
    t,
    app => {
      app.post<{ Params: { id: string } }>('/:id', { transaction: true }, async (request, reply) => {
        await placeOrder(request, reply, request.params.id)
        if (request.params.id === 'holder') {
          holding.resolve()
          await held.promise
        }
        return 'ok'
      })
      app.post('/swallow', { transaction: true }, async (request, reply) => {
        await placeOrder(request, reply, 'swallow').catch(() => {})
        return 'ok'
      })
      app.post('/not-awaited', { transaction: true }, async request => {
        request.tx.query("insert into orders values ('not-awaited')")
        return 'ok'
      })
    },
    { pool: { max: 1 }, outboxOptions: { connectTimeoutMs: 100 } }
  )
  const holder = app.inject({ method: 'POST', url: '/holder' })
  await holding.promise
  for (const url of ['/waiter', '/swallow', '/not-awaited']) {
    const response = await app.inject({ method: 'POST', url })
    t.equal(response.statusCode, 503)
    t.equal(response.json().code, 'SF_OUTBOX_NO_CONNECTION')
    t.equal(response.headers['retry-after'], '1')
  }
  held.resolve()
  t.equal((await holder).statusCode, 200)
  await quiet()
  t.same(await stored(), { orders: ['holder'], events: ['holder'] })
})

t.test('database away: 503, and 200 when it is back', async t => {
  let proxy!: TcpProxy
  const { app, stored } = await buildApp(
    t,
    app => {
      app.post('/', { transaction: true }, async (request, reply) => {
        await placeOrder(request, reply, 'a')
        return 'ok'
      })
    },
    {
      async through(port) {
        proxy = await startProxy({ targetPort: port })
        return proxy.port
      }
    }
  )
  t.teardown(() => proxy.close())
  const lost = new Promise(resolve => app.pg.pool.once('error', resolve))
  await proxy.cut()
  await lost
  const response = await app.inject({ method: 'POST', url: '/' })
  t.equal(response.statusCode, 503)
  t.equal(response.json().code, 'SF_OUTBOX_NO_CONNECTION')
  await proxy.restore()
  t.equal((await app.inject({ method: 'POST', url: '/' })).statusCode, 200)
  t.same(await stored(), { orders: ['a'], events: ['a'] })
})
