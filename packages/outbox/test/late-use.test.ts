import t from 'tap'
import { buildApp, OrderPlaced, placeOrder } from './helpers/build-app.ts'
import { deferred } from './helpers/deferred.ts'

t.test('a write that comes after the answer stores nothing and ends nothing', async t => {
  const later: (() => void)[] = []
  const refused = deferred<string>()
  const lines: string[] = []
  const { app, stored, quiet } = await buildApp(
    t,
    app => {
      app.post('/', { transaction: true }, async (request, reply) => {
        await placeOrder(request, reply, 'a')
        later.push(() => {
          // Nobody awaits these.
          request.tx.query("insert into orders values ('late')")
          reply.sendEvent(OrderPlaced, { orderId: 'late' })
          reply.sendEvent(OrderPlaced, { orderId: 1 as never })
          // Somebody awaits this one.
          request.tx.query('select 1').catch(error => refused.resolve(error.code))
        })
        return 'ok'
      })
    },
    { server: { logger: { level: 'error', stream: { write: (line: string) => void lines.push(line) } } } }
  )
  t.equal((await app.inject({ method: 'POST', url: '/' })).statusCode, 200)
  for (const fn of later) fn()
  t.equal(await refused.promise, 'SF_OUTBOX_TRANSACTION_CLOSED')
  await quiet()
  t.same(await stored(), { orders: ['a'], events: ['a'] })
  t.equal(lines.filter(line => line.includes('SF_OUTBOX_TRANSACTION_CLOSED')).length, 4, 'each is in the log')
})
