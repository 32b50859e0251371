import postgres from '@fastify/postgres'
import { testDatabase, until } from '@steadfast/dev-services'
import { migrate } from '@steadfast/store'
import Fastify from 'fastify'
import t from 'tap'
import outbox from '../src/index.ts'
import { OrderPlaced } from './helpers/build-app.ts'

const resourceCount = (name: string) => process.getActiveResourcesInfo().filter(r => r === name).length
const counts = () => ({
  listeners: process.eventNames().map(name => [name, process.listenerCount(name)]),
  resources: ['TCPSocketWrap', 'Timeout', 'TCPServerWrap'].map(name => [name, resourceCount(name)])
})

t.test('started and stopped 50 times, nothing stays behind', async t => {
  const database = await testDatabase(t)
  await migrate(database.pool)
  const cycle = async () => {
    const app = Fastify()
    await app.register(postgres, { connectionString: database.url, max: 2 })
    await app.register(outbox, { source: 'test', contracts: [OrderPlaced] })
    app.post('/', { transaction: true }, async (_, reply) => reply.sendEvent(OrderPlaced, { orderId: 'a' }))
    t.equal((await app.inject({ method: 'POST', url: '/' })).statusCode, 200)
    await app.close()
  }
  await cycle()
  const before = counts()
  for (let i = 1; i < 50; i++) await cycle()
  t.same(counts(), before)
  await until(
    async () => {
      const { rows } = await database.pool.query(
        "select count(*)::int as n from pg_stat_activity where datname = current_database() and backend_type = 'client backend'"
      )
      return process.env.TEST_PGBOUNCER_PORT !== undefined || rows[0].n === 1
    },
    { what: 'all sessions but this one to end' }
  )
})
