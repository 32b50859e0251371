import postgres from '@fastify/postgres'
import type { Teardown } from '@steadfast/dev-services'
import outbox from '@steadfast/outbox'
import Fastify, { type FastifyInstance } from 'fastify'
import t from 'tap'
import idempotencyKey from '../src/index.ts'
import { ordersDatabase } from './helpers/build-app.ts'

const ok = async () => 'ok'
const ready = async (app: FastifyInstance) => void (await app.ready())
const asking = { transaction: true, idempotencyKey: true } as const
const refusal = (names: string) => ({
  code: 'SF_OUTBOX_ROUTE_UNSERVED',
  message: `${names}: nothing serves the route option "idempotencyKey". Register @steadfast/idempotency-key before the route, in its context or in one around it, and await that`
})

async function server(t: Teardown) {
  const { url } = await ordersDatabase(t)
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(postgres, { connectionString: url })
  await app.register(outbox, { source: 'test' })
  return app
}

t.test('a route that asks for a key before the plugin, or without it, stops the start and is named', async t => {
  const app = await server(t)
  app.post('/before', asking, ok)
  await app.register(idempotencyKey, { principal: 'shared' })
  app.post('/after', asking, ok)
  await t.rejects(ready(app), refusal('POST /before'))
  const without = await server(t)
  without.post('/orders', { ...asking, idempotencyKey: { required: true } }, ok)
  await t.rejects(ready(without), refusal('POST /orders'))
})

t.test('so does one beside the context of the plugin', async t => {
  const app = await server(t)
  await app.register(async child => {
    await child.register(idempotencyKey, { principal: 'shared' })
    child.post('/inside', asking, ok)
  })
  app.post('/outside', asking, ok)
  await t.rejects(ready(app), refusal('POST /outside'))
})

t.test('without the outbox the plugin does not start', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  await t.rejects(async () => app.register(idempotencyKey, { principal: 'shared' }), {
    message: /@steadfast\/outbox/
  })
})
