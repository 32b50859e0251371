import { request } from 'node:http'
import t from 'tap'
import { buildApp, listen, placeOrder } from './helpers/build-app.ts'
import { deferred } from './helpers/deferred.ts'

t.test('a hijacked reply rolls back and frees the connection', async t => {
  const { app, stored, quiet } = await buildApp(
    t,
    app => {
      app.post('/', { transaction: true }, async (request, reply) => {
        await placeOrder(request, reply, 'a')
        reply.hijack()
        reply.raw.end('mine')
      })
      app.post('/good', { transaction: true }, async (request, reply) => {
        await placeOrder(request, reply, 'good')
        return 'ok'
      })
    },
    { pool: { max: 1 } }
  )
  for (let i = 0; i < 3; i++) t.equal((await app.inject({ method: 'POST', url: '/' })).body, 'mine')
  t.equal((await app.inject({ method: 'POST', url: '/good' })).statusCode, 200)
  t.same(await stored(), { orders: ['good'], events: ['good'] })
  await quiet()
})

t.test('a response ended behind the back of Fastify rolls back too', async t => {
  const { app, stored, quiet } = await buildApp(
    t,
    app => {
      app.post('/', { transaction: true }, async (request, reply) => {
        await placeOrder(request, reply, 'a')
        reply.raw.end('mine')
      })
    },
    { pool: { max: 1 } }
  )
  const address = await listen(app)
  for (let i = 0; i < 2; i++) t.equal(await (await fetch(address, { method: 'POST' })).text(), 'mine')
  await quiet()
  t.same(await stored(), { orders: [], events: [] })
})

t.test('a caller that goes away before the answer: rolled back, connection free', async t => {
  const gone = deferred()
  const handled = deferred<unknown>()
  const lines: string[] = []
  const { app, stored, quiet } = await buildApp(
    t,
    app => {
      app.post('/', { transaction: true }, async (request, reply) => {
        await placeOrder(request, reply, 'a')
        reply.raw.once('close', () => gone.resolve())
        caller.destroy()
        await gone.promise
        const late = request.tx.query("insert into orders values ('late')")
        handled.resolve(late.catch(error => error.code))
        await late
        return 'ok'
      })
    },
    {
      pool: { max: 1 },
      server: { logger: { level: 'warn', stream: { write: (line: string) => void lines.push(line) } } }
    }
  )
  const caller = request(await listen(app), { method: 'POST' })
  caller.on('error', () => {})
  caller.end()
  t.equal(await handled.promise, 'SF_OUTBOX_CALLER_GONE')
  await quiet()
  t.same(lines, [], 'nobody is to blame')
  t.same(await stored(), { orders: [], events: [] })
})
