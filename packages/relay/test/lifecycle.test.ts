import fastifyPostgres from '@fastify/postgres'
import { launchPostgres, matchWhole, startProxy, testDatabase, until } from '@steadfast/dev-services'
import { migrate } from '@steadfast/store'
import { storeOn, writeEvents } from '@steadfast/store/internal'
import Fastify from 'fastify'
import fp from 'fastify-plugin'
import pg from 'pg'
import t from 'tap'
import relay from '../src/index.ts'
import { relayOnce } from '../src/testing.ts'
import { database, event, failed, recordingTransport, server } from './helper.ts'

// a busy machine takes its time
t.setTimeout(240_000)

/** A promise that is resolved from outside. */
function signal() {
  let resolve = () => {}
  const promise = new Promise<void>(done => {
    resolve = done
  })
  return { promise, resolve }
}

const SCHEDULED = { schedule: true, pollIntervalMs: 20 }

t.test('closing waits for the send under way and its mark, and begins no other', async t => {
  const { url, write, rows, pool } = await database(t)
  const broker = recordingTransport()
  const app = await server(t, url, broker.transport, { ...SCHEDULED, batchSize: 10 })
  const sending = signal()
  const goOn = signal()
  broker.answer = async batch => {
    sending.resolve()
    await goOn.promise
    return batch.map(broker.accept)
  }
  await write(Array.from({ length: 100 }, () => event()))
  await sending.promise
  const closing = app.close()
  await until(() => !app.relay.health().ready)
  goOn.resolve()
  await closing
  t.equal(broker.log.length, 10)
  t.equal((await rows(`status = 'PUBLISHED'`)).length, 10)
  t.same((await pool.query('select id from steadfast.relay')).rows, [])
  await t.rejects(relayOnce(app), { code: 'SF_RELAY_CLOSED' })
})

t.test('closing gives a hanging send up at its deadline; the events stay due', async t => {
  const { url, write, rows } = await database(t)
  const broker = recordingTransport()
  const app = await server(t, url, broker.transport, { ...SCHEDULED, closeDeadlineMs: 50 })
  const sending = signal()
  broker.answer = (batch, signal) => {
    sending.resolve()
    return new Promise(resolve => signal.addEventListener('abort', () => resolve(batch.map(() => failed('unknown')))))
  }
  await write([event()])
  await sending.promise
  await app.close()
  matchWhole(t, await rows(), [{ due: true, count: 0 }])
})

t.test('PostgreSQL stopped as by a crash, and read-only for a while: the relay goes on by itself', async t => {
  const postgres = await launchPostgres()
  t.teardown(() => postgres.stop())
  const pool = new pg.Pool({ connectionString: postgres.url }).on('error', () => {})
  t.teardown(() => pool.end())
  await migrate(pool)
  const write = (n: number) =>
    writeEvents(
      storeOn(pool),
      Array.from({ length: n }, () => event())
    )
  const due = async () => (await pool.query('select from steadfast.event where due')).rowCount
  const broker = recordingTransport()
  const unhandled: unknown[] = []
  process.on('unhandledRejection', error => unhandled.push(error))
  const app = await server(t, postgres.url, broker.transport, { ...SCHEDULED, batchSize: 20 })

  await write(500)
  await until(() => broker.log.length > 100)
  await postgres.stopImmediate()
  await until(() => app.relay.health().reason?.startsWith('database'))
  await postgres.start()
  await until(async () => (await due()) === 0, { what: 'all sent after the crash' })
  await until(() => app.relay.health().ready)

  await pool.query(`alter system set default_transaction_read_only = on`)
  await pool.query('select pg_reload_conf()')
  await pool.query(`begin read write; update steadfast.event set due = true; commit`)
  await until(() => app.relay.health().reason?.startsWith('database'), { what: 'a mark that fails' })
  await pool.query('alter system reset default_transaction_read_only')
  await pool.query('select pg_reload_conf()')
  await until(async () => (await due()) === 0, { what: 'all sent after it was read-only' })
  await until(() => app.relay.health().ready)
  t.equal(new Set(broker.log.map(({ id }) => id)).size, 500)
  t.same(unhandled, [])
  await app.close()
})

t.test('an idle relay tells that its database is read-only', async t => {
  const { url, setReadOnly } = await database(t)
  const broker = recordingTransport()
  const app = await server(t, url, broker.transport, { ...SCHEDULED, beatIntervalMs: 20 })
  await until(() => app.relay.stats().then(({ relays }) => relays === 1))
  t.same(app.relay.health(), { ready: true })
  await setReadOnly(true)
  await until(() => /^database: it is read-only/.test(app.relay.health().reason ?? ''), { what: 'it tells' })
  await setReadOnly(false)
  await until(() => app.relay.health().ready, { what: 'it goes on' })
})

t.test('connections that are killed, again and again, lose nothing', async t => {
  const { url, write, rows, pool } = await database(t)
  const broker = recordingTransport()
  await server(t, url, broker.transport, { ...SCHEDULED, batchSize: 10 })
  await write(Array.from({ length: 600 }, () => event({ key: 'k' })))
  const kill = `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`
  for (let n = 0; n < 10; n++) {
    const before = broker.log.length
    await until(() => broker.log.length >= before + 20, { what: 'a relay that goes on' })
    await pool.query(kill)
  }
  await until(async () => (await rows('due')).length === 0)
  t.equal(new Set(broker.log.map(({ id }) => id)).size, 600)
})

t.test('a pool keeps a client for others, and a full one only delays the relay', async t => {
  const { url, write, pool } = await database(t)
  const broker = recordingTransport()
  const own = new pg.Pool({ connectionString: url, max: 2 }).on('error', () => {})
  t.teardown(() => own.end())
  const app = await server(t, url, broker.transport, { ...SCHEDULED, batchSize: 1, pool: own })
  const held = await own.connect()
  await write(Array.from({ length: 50 }, () => event()))
  await until(() => broker.log.length >= 50)
  const last = await own.connect()
  await write([event()])
  const waiting = app.relay.tick()
  await until(() => own.waitingCount > 0)
  last.release()
  held.release()
  await waiting
  await until(async () => (await pool.query('select from steadfast.event where due')).rowCount === 0)
})

t.test('a silent database is noticed', async t => {
  const { url, write } = await database(t)
  const { port } = new URL(url)
  const proxy = await startProxy({ targetPort: Number(port) })
  t.teardown(() => proxy.close())
  const address = new URL(url)
  address.port = String(proxy.port)
  const broker = recordingTransport()
  const app = await server(t, address.href, broker.transport, {
    ...SCHEDULED,
    queryTimeoutMs: 200,
    closeDeadlineMs: 100
  })
  await write([event()])
  await until(() => broker.log.length === 1)
  proxy.blackhole('both')
  await until(() => app.relay.health().reason?.startsWith('database'))
  await proxy.restore()
  await until(() => app.relay.health().ready)
  await write([event()])
  await until(() => broker.log.length === 2)
})

t.test('relays of other processes are woken by NOTIFY, also after a half-open connection', async t => {
  const { url, directUrl, write, pool } = await database(t)
  const proxy = await startProxy({ targetPort: Number(new URL(directUrl).port) })
  t.teardown(() => proxy.close())
  const address = new URL(directUrl)
  address.port = String(proxy.port)
  address.search = '?application_name=listener'
  const listeners: (() => void)[] = []
  const commit = async () => {
    await write([event()])
    for (const listener of listeners) listener()
  }
  // So slow a poll that only a wake explains a send.
  const slow = { schedule: true, pollIntervalMs: 600_000, notify: { connectionString: address.href } }
  const writer = Fastify()
  await writer.register(fastifyPostgres, { connectionString: url })
  writer.pg.pool.on('error', () => {})
  writer.pg.pool.on('connect', client => client.on('error', () => {}))
  const outbox = {
    contracts: new Map(),
    schema: 'steadfast',
    onCommit(listener: () => void) {
      listeners.push(listener)
      return () => {}
    }
  }
  const deaf = recordingTransport()
  deaf.answer = async batch => batch.map(() => failed('unavailable'))
  await writer.register(
    fp(async f => {
      f.decorate('outbox', outbox as never)
      f.decorate('transport', deaf.transport)
    })
  )
  await writer.register(relay, { ...slow, notify: { connectionString: `${directUrl}${address.search}` } })
  t.teardown(() => writer.close())
  await writer.ready()
  const broker = recordingTransport()
  const app = await server(t, url, broker.transport, { ...slow, notifyHeartbeatMs: 100, deadAfterMs: 1 })
  const listening = `select from pg_stat_activity where application_name = 'listener' and datname = current_database()
    and (query like 'listen%' or query = 'select')`
  await until(async () => ((await pool.query(listening)).rowCount ?? 0) >= 2)
  for (let n = 1; n <= 3; n++) {
    await commit()
    await until(() => broker.log.length >= n)
  }
  proxy.blackhole('both')
  // More than the few bytes of a heartbeat: it went unanswered, and the relay connects anew.
  await until(() => proxy.swallowedBytes > 60)
  await proxy.restore()
  const before = broker.log.length
  await until(
    async () => {
      await commit()
      return broker.log.length > before
    },
    { intervalMs: 50 }
  )
  t.ok(app.relay.health().ready)
})

t.test('ten servers that start and stop leave no connection, timer or listener behind', async t => {
  const { url, directUrl, pool } = await database(t)
  const own = new pg.Pool({ connectionString: url }).on('error', () => {})
  t.teardown(() => own.end())
  const resources = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  const before = resources()
  for (let n = 0; n < 10; n++) {
    const app = await server(t, url, recordingTransport().transport, {
      ...SCHEDULED,
      pool: own,
      notify: { connectionString: directUrl }
    })
    await relayOnce(app)
    await app.close()
  }
  t.equal(own.listenerCount('error'), 1)
  t.ok(resources() <= before + 1, `${resources()} timers, ${before} before`)
  t.equal(own.idleCount, own.totalCount)
  const others = `select from pg_stat_activity where datname = current_database() and query like 'listen%'`
  await until(async () => (await pool.query(others)).rowCount === 0)
  t.same((await pool.query('select from steadfast.relay')).rowCount, 0)
})

t.test('options, the schedule and the schema are checked when the server starts', async t => {
  const { url, pool } = await testDatabase(t)
  const broker = recordingTransport()
  const start = (options: object) => server(t, url, broker.transport, options)
  await t.rejects(start({ batchsize: 1 }), { code: 'SF_OPTIONS_INVALID', message: /did you mean "batchSize"/ })
  await t.rejects(start({ schedule: 'now and then' }), { code: 'SF_OPTIONS_INVALID', message: /"schedule"/ })
  await t.rejects(start({ pool: {} }), { code: 'SF_OPTIONS_INVALID', message: /"pool" must be a pool/ })
  await t.rejects(start({ schema: 'x"; drop' }), { code: 'SF_STORE_IDENTIFIER_INVALID' })
  await t.rejects(start({}), { code: 'SF_STORE_SCHEMA_OLDER' })
  await migrate(pool, { schema: 'other' })
  const app = await start({ schema: 'other' })
  t.match(await app.relay.stats(), { due: 0, relays: 0 })
  t.match(await app.relay.tick(), { sent: 0 })
  t.match(await app.relay.stats(), { due: 0, relays: 1 })
  const bare = Fastify()
  t.teardown(() => bare.close())
  await bare.register(fastifyPostgres, { connectionString: url })
  await t.rejects(async () => await bare.register(relay), { message: /transport/ })
})
