import { Writable } from 'node:stream'
import t from 'tap'
import { buildApp, placeOrder } from './helpers/build-app.ts'
import { deferred } from './helpers/deferred.ts'

t.test(
  'as many requests as connections, each with a query outside its transaction: all are answered, and the service lives',
  async t => {
    const max = 3
    let holding = 0
    const allHold = deferred()
    const { app, stored, quiet } = await buildApp(
      t,
      app => {
        app.post('/nested', { transaction: true }, async (request, reply) => {
          await placeOrder(request, reply, `nested-${++holding}`)
          if (holding === max) allHold.resolve()
          await allHold.promise
          await app.pg.query('select 1')
          return 'ok'
        })
        app.post('/good', { transaction: true }, async (request, reply) => {
          await placeOrder(request, reply, 'good')
          return 'ok'
        })
      },
      { pool: { max }, outboxOptions: { idleInTransactionTimeoutMs: 300 } }
    )
    const answers = await Promise.all(Array.from({ length: max }, () => app.inject({ method: 'POST', url: '/nested' })))
    for (const { statusCode } of answers) t.ok([200, 503].includes(statusCode), String(statusCode))
    t.ok(answers.some(({ statusCode }) => statusCode === 503))
    t.equal((await app.inject({ method: 'POST', url: '/good' })).statusCode, 200)
    const { orders, events } = await stored()
    t.same(orders, events)
    t.equal(orders.length, answers.filter(({ statusCode }) => statusCode === 200).length + 1)
    await quiet()
  }
)

t.test('in development a query outside the transaction is warned of, once for each route', async t => {
  const lines: { level: number; holder?: string }[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()))
      done()
    }
  })
  const { app } = await buildApp(
    t,
    app => {
      app.post('/nested/:id', { transaction: true }, async (request, reply) => {
        await placeOrder(request, reply, 'a')
        await app.pg.query('select 1')
        return reply.code(400).send()
      })
      app.post('/before', { transaction: true }, async (request, reply) => {
        await app.pg.query('select 1')
        await placeOrder(request, reply, 'b')
        return reply.code(400).send()
      })
      app.post('/inside', { transaction: true }, async (request, reply) => {
        await placeOrder(request, reply, 'c')
        await request.tx.query('select 1')
        return reply.code(400).send()
      })
      app.post('/own', async (_request, reply) => {
        await app.outbox.transaction(async tx => {
          await tx.query('select 1')
          await app.pg.query('select 1')
        })
        return reply.code(400).send()
      })
    },
    { server: { logger: { level: 'warn', stream } } }
  )
  for (const url of ['/nested/1', '/nested/2', '/before', '/inside', '/own']) await app.inject({ method: 'POST', url })
  t.same(
    lines.map(({ holder }) => holder),
    ['POST /nested/:id', 'outbox.transaction']
  )
})
