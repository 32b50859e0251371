import { testDatabase, until } from '@steadfast/dev-services'
import { readEnvironment } from '@steadfast-examples/service'
import Fastify from 'fastify'
import t from 'tap'
import market from '../app.ts'
import { MarketEnvironment } from '../environment.ts'

// Case 14: whatever a service opens, it closes.

const EVENTS = ['exit', 'beforeExit', 'warning', 'uncaughtException', 'unhandledRejection', 'SIGTERM', 'SIGINT']

const listeners = () => EVENTS.map(name => process.listenerCount(name))
const resources = () => process.getActiveResourcesInfo().filter(name => name !== 'PipeWrap')

t.test('start and stop 50 times: no handle, timer, listener or session is left', async t => {
  const { url, pool } = await testDatabase(t)
  const env = readEnvironment(MarketEnvironment, { DATABASE_URL: url })
  const startAndStop = async () => {
    const app = Fastify()
    await app.register(market, env)
    await app.ready()
    const order = { product: 'sleeper', plan: 'simulated' }
    t.equal((await app.inject({ method: 'POST', url: '/orders', body: order })).statusCode, 202)
    await app.close()
  }
  await startAndStop()
  const before = listeners()
  for (let i = 0; i < 50; i++) await startAndStop()
  t.strictSame(listeners(), before)
  await until(() => resources().length === 0, { what: 'the last sockets and timers to close' })
  const { rows } = await pool.query(
    'select application_name, query from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()'
  )
  t.strictSame(rows, [], 'no session')
})
