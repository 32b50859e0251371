import postgres from '@fastify/postgres'
import { type Teardown, testDatabase } from '@steadfast/dev-services'
import { defineEvent } from '@steadfast/events'
import { migrate } from '@steadfast/store'
import Fastify from 'fastify'
import t from 'tap'
import { Type } from 'typebox'
import outbox from '../src/index.ts'
import { readOptions } from '../src/options.ts'
import { buildApp, OrderPlaced } from './helpers/build-app.ts'

async function start(t: Teardown, options: object, migrated = true) {
  const database = await testDatabase(t)
  if (migrated) await migrate(database.pool)
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(postgres, { connectionString: database.url })
  await app.register(outbox, options as never)
  await app.ready()
  return app
}

t.test('a misspelt option is refused with a suggestion', async t => {
  await t.rejects(start(t, { source: 'test', contract: [] }), {
    code: 'SF_OPTIONS_INVALID',
    message: /did you mean "contracts"/
  })
  await t.rejects(start(t, {}), { code: 'SF_OPTIONS_INVALID', message: /source/ })
  await t.rejects(start(t, { source: 'test', maxSends: 0 }), { code: 'SF_OPTIONS_INVALID', message: /maxSends/ })
})

t.test('options that could only fail later are refused', async t => {
  for (const wrong of [
    { contracts: [null] },
    { contracts: [{ type: 'x', topic: 'x' }] },
    { maxSends: 2 ** 31 },
    { connectTimeoutMs: 2 ** 31 },
    { idleInTransactionTimeoutMs: 2 ** 31 },
    { giveUpAfterMs: Number.MAX_SAFE_INTEGER },
    { resendBackoff: 1e300 }
  ])
    t.throws(() => readOptions({ source: 'test', ...wrong } as never), {
      code: 'SF_OPTIONS_INVALID',
      message: `option "${Object.keys(wrong)[0]}`
    })
})

t.test('a strange schema name is refused', async t => {
  for (const schema of ['x"; drop schema public; --', 'Upper', 'pg_catalog', ''])
    await t.rejects(start(t, { source: 'test', schema }), { code: 'SF_STORE_IDENTIFIER_INVALID' })
})

t.test('tables that are missing stop the start', async t => {
  await t.rejects(start(t, { source: 'test' }, false), { code: 'SF_STORE_SCHEMA_OLDER' })
})

t.test('two contracts of one type are refused', async t => {
  const twin = defineEvent({ type: OrderPlaced.type, topic: 'x', data: Type.Object({}) })
  await t.rejects(start(t, { source: 'test', contracts: [OrderPlaced, twin] }), { code: 'SF_OUTBOX_CONTRACT_TWICE' })
})

t.test('a route cannot have the transaction of @fastify/postgres as well', async t => {
  await buildApp(t, app => {
    t.throws(() => app.post('/', { transaction: true, pg: { transact: true } }, async () => 'ok'), {
      code: 'SF_OUTBOX_TWO_TRANSACTIONS'
    })
  })
})

t.test('what the decoration tells', async t => {
  const { app } = await buildApp(t, () => {}, { outboxOptions: { source: 'shop' } })
  t.match(app.outbox, { source: 'shop', schema: 'steadfast', replyTo: 'shop.signals' })
  t.ok(app.outbox.sends('test.order.placed'))
  t.notOk(app.outbox.sends('test.other'))
  t.equal(app.outbox.contracts.get('test.order.placed'), OrderPlaced)
})
