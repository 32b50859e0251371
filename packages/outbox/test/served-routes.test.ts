import postgres from '@fastify/postgres'
import { type Teardown, testDatabase } from '@steadfast/dev-services'
import { migrate } from '@steadfast/store'
import Fastify, { type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import outbox from '../src/index.ts'

const ok = async () => 'ok'
const ready = async (app: FastifyInstance) => void (await app.ready())
const withTransaction = (app: FastifyInstance) => app.post('/orders', { transaction: true }, ok)

/** A server, made when the package is loaded, and what its outbox needs. */
async function server(t: Teardown) {
  const { url, pool } = await testDatabase(t)
  await migrate(pool)
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(postgres, { connectionString: url })
  return app
}

const message = (names: string, option = 'transaction', plugin = '@steadfast/outbox') =>
  `${names}: nothing serves the route option "${option}". Register ${plugin} before the route, in its context or in one around it, and await that`

t.test('a route that asks for a transaction where there is no outbox stops the start and is named', async t => {
  const app = await server(t)
  withTransaction(app)
  app.get('/orders/:id', { transaction: { commitOnError: true } }, ok)
  await t.rejects(ready(app), {
    code: 'SF_OUTBOX_ROUTE_UNSERVED',
    message: message('POST /orders, GET /orders/:id, HEAD /orders/:id')
  })
})

t.test('so does one that comes before the outbox', async t => {
  const app = await server(t)
  withTransaction(app)
  await app.register(outbox, { source: 'test' })
  app.post('/later', { transaction: true }, ok)
  await t.rejects(ready(app), { code: 'SF_OUTBOX_ROUTE_UNSERVED', message: message('POST /orders') })
})

t.test('and one that does not await the registration of the outbox', async t => {
  const app = await server(t)
  app.register(outbox, { source: 'test' })
  withTransaction(app)
  await t.rejects(ready(app), { code: 'SF_OUTBOX_ROUTE_UNSERVED', message: message('POST /orders') })
})

t.test('and one beside the context of the outbox', async t => {
  const app = await server(t)
  await app.register(async child => {
    await child.register(outbox, { source: 'test' })
    child.post('/inside', { transaction: true }, ok)
  })
  await app.register(async child => void withTransaction(child), { prefix: '/v2' })
  await t.rejects(ready(app), { code: 'SF_OUTBOX_ROUTE_UNSERVED', message: message('POST /v2/orders') })
})

t.test('and one that another plugin gives a transaction when the outbox has seen it', async t => {
  const app = await server(t)
  await app.register(outbox, { source: 'test' })
  const add = async (app: FastifyInstance) => {
    app.addHook('onRoute', route => {
      route.transaction = true
    })
  }
  await app.register(fp(add))
  app.post('/orders', ok)
  await t.rejects(ready(app), { code: 'SF_OUTBOX_ROUTE_UNSERVED', message: message('POST /orders') })
})

t.test('and one that asks for an idempotency key where nothing honours it', async t => {
  const app = await server(t)
  await app.register(outbox, { source: 'test' })
  const options = { transaction: true, idempotencyKey: true }
  app.post('/orders', options, ok)
  await t.rejects(ready(app), {
    code: 'SF_OUTBOX_ROUTE_UNSERVED',
    message: message('POST /orders', 'idempotencyKey', '@steadfast/idempotency-key')
  })
})

t.test('routes that ask for nothing, or are served, start', async t => {
  const app = await server(t)
  app.post('/before', { transaction: false }, ok)
  await app.register(outbox, { source: 'test' })
  withTransaction(app)
  await app.register(
    async child => {
      withTransaction(child)
      child.get('/', { transaction: true }, ok)
    },
    { prefix: '/v2' }
  )
  await app.ready()
  t.equal((await app.inject({ method: 'POST', url: '/v2/orders' })).statusCode, 200)
})
