import { readFile } from 'node:fs/promises'
import { testDatabase, until } from '@steadfast/dev-services'
import { defineEvent } from '@steadfast/events'
import { postgresTransport } from '@steadfast/transport-postgres'
import Fastify from 'fastify'
import pg from 'pg'
import t from 'tap'
import { Type } from 'typebox'
import { steadfast } from '../src/index.ts'

const Said = defineEvent({ type: 'test.said', topic: 'test', data: Type.Object({ n: Type.Integer() }) })

t.test('the example of the README is this file, and works', async t => {
  const read = (path: string) => readFile(new URL(path, import.meta.url), 'utf8')
  t.ok((await read('../README.md')).includes(`\`\`\`ts\n${(await read('readme-example.ts')).trim()}\n\`\`\``))
  const { pool, url } = await testDatabase(t)
  process.env.DATABASE_URL = url
  process.env.OPERATOR_TOKEN = 'secret'
  const { app } = await import('./readme-example.ts')
  t.teardown(() => app.close())
  app.log.level = 'silent'
  t.equal((await app.inject({ method: 'POST', url: '/orders/o1' })).statusCode, 202)
  const rows = async () => (await pool.query('select state from steadfast.inbox')).rows
  await until(async () => (await rows()).length === 1, { what: 'the delivery' })
  t.same(await rows(), [{ state: 'DONE' }])
  const counts = { method: 'GET', url: '/reconciliation/counts' } as const
  t.equal((await app.inject(counts)).statusCode, 403)
  t.equal((await app.inject({ ...counts, headers: { authorization: 'Bearer secret' } })).statusCode, 200)
})

t.test('a process without relay, sweeper and inbox only sends; one of the same source does the rest', async t => {
  const { url } = await testDatabase(t)
  const pool = new pg.Pool({ connectionString: url })
  pool.on('error', () => {})
  const own = {
    source: 'test',
    contracts: [Said],
    pool,
    migrate: true,
    transport: (app: ReturnType<typeof Fastify>) => app.register(postgresTransport, { connectionString: url })
  }
  const web = Fastify()
  await web.register(steadfast, { ...own, relay: false, sweeper: false, inbox: false })
  t.strictSame(
    ['relay', 'sweeper', 'inbox', 'onEvent'].filter(name => web.hasDecorator(name)),
    []
  )
  await web.ready()
  await web.outbox.transaction(tx => tx.sendEvent(Said, { n: 1 }))
  const due = async () => (await pool.query('select due from steadfast.event')).rows
  t.same(await due(), [{ due: true }])

  const worker = Fastify()
  await worker.register(steadfast, { ...own, inbox: { ensureTopics: { partitions: 1 } } })
  const said: number[] = []
  worker.onEvent(Said, async request => void said.push(request.body.n))
  await worker.ready()
  await until(() => said.length === 1, { what: 'the event is handled' })
  t.same(await due(), [{ due: false }])
  await worker.close()
  await web.close()
  await pool.end()
})

t.test('a misspelt option stops the start', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  const misspelt = { source: 'test', transport: async () => {}, sweper: false } as never
  await t.rejects(async () => app.register(steadfast, misspelt), { code: 'SF_OPTIONS_INVALID', message: /sweper/ })
})

t.test('an idle connection that is lost is one line of the log, however many plugins use the pool', async t => {
  const { url, pool: other } = await testDatabase(t)
  const pool = new pg.Pool({ connectionString: url })
  const lines: string[] = []
  const stream = { write: (line: string) => void lines.push((JSON.parse(line) as { msg: string }).msg) }
  const app = Fastify({ logger: { level: 'debug', stream } })
  await app.register(steadfast, {
    source: 'test',
    pool,
    migrate: true,
    transport: app => app.register(postgresTransport, { pool }),
    relay: { schedule: false },
    sweeper: { schedule: false },
    inbox: { retryPollMs: 0 },
    reconciliation: { authorize: () => true }
  })
  await app.ready()
  const clients = await Promise.all([pool.connect(), pool.connect()])
  for (const client of clients) client.release()
  const idle = pool.idleCount
  await other.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`
  )
  const told = () => lines.filter(line => line.includes('idle'))
  await until(() => told().length >= idle, { what: 'the lines' })
  await app.close()
  await pool.end()
  t.equal(told().length, idle)
})
