import { setImmediate } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import { buildApp, placeOrder } from './helpers/build-app.ts'
import { deferred } from './helpers/deferred.ts'

const serializable = (request: FastifyRequest) => request.tx.query('set transaction isolation level serializable')

// Two transactions read the same and write what the other read: PostgreSQL refuses the second COMMIT.
async function writeSkew(app: FastifyInstance): Promise<{ statusCode: number; code?: string; retryAfter?: unknown }[]> {
  const answers = await Promise.all(['a', 'b'].map(id => app.inject({ method: 'POST', url: `/${id}` })))
  return answers
    .map(r => ({ statusCode: r.statusCode, code: r.json().code, retryAfter: r.headers['retry-after'] }))
    .sort((a, b) => a.statusCode - b.statusCode)
}

t.test('40001 at COMMIT answers 503 with Retry-After, and stores nothing of that request', async t => {
  for (const withEvent of [true, false]) {
    let arrived = 0
    const both = deferred()
    const { app, stored, quiet } = await buildApp(t, app => {
      app.post('/:id', { transaction: true }, async (request: FastifyRequest, reply: FastifyReply) => {
        const { id } = request.params as { id: string }
        await serializable(request)
        await request.tx.query('select count(*) from orders')
        if (withEvent) await placeOrder(request, reply, id)
        else await request.tx.query('insert into orders values ($1)', [id])
        if (++arrived === 2) both.resolve()
        await both.promise
        // One after the other, so that the failure is at COMMIT.
        if (id === 'b') await setImmediate()
        return { id }
      })
    })
    const [ok, refused] = await writeSkew(app)
    t.equal(ok?.statusCode, 200)
    t.match(refused, { statusCode: 503, code: 'SF_OUTBOX_CONFLICT', retryAfter: '1' })
    const { orders, events } = await stored()
    t.equal(orders.length, 1)
    if (withEvent) t.same(events, orders)
    await quiet()
  }
})

t.test('40001 in a statement answers the same', async t => {
  const { app, stored, quiet, database } = await buildApp(t, app => {
    app.post('/', { transaction: true }, async (request, reply) => {
      await request.tx.query('set transaction isolation level repeatable read')
      await placeOrder(request, reply, 'a')
      await request.tx.query('select * from slot')
      await database.pool.query('update slot set n = 2')
      await request.tx.query('update slot set n = 3')
      return 'ok'
    })
  })
  const response = await app.inject({ method: 'POST', url: '/' })
  t.equal(response.statusCode, 503)
  t.equal(response.json().code, 'SF_OUTBOX_CONFLICT')
  t.equal(response.headers['retry-after'], '1')
  t.same(await stored(), { orders: [], events: [] })
  await quiet()
})
