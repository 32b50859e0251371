import { startProxy, testDatabase, until } from '@steadfast/dev-services'
import t from 'tap'
import { build, effects, insertEffect, send, Task, transports } from './helper.ts'

const stored = async (pool: { query(text: string): Promise<{ rowCount: number | null }> }) =>
  (await pool.query('select from steadfast.inbox')).rowCount

for (const { name, skip, transport } of transports(t)) {
  for (const status of [401, 403, 413, 415]) {
    t.test(`${status} from outside the handler: pause, store nothing, resume (${name})`, { skip }, async t => {
      let closed = true
      let asked = 0
      const database = await testDatabase(t)
      const { app, pool } = await build(
        t,
        app => {
          app.onEvent(Task, async request => insertEffect(request.tx, request.body))
        },
        {
          database,
          transport: transport(database.url),
          before: app =>
            void app.addHook('onRequest', async () => {
              asked++
              if (closed) throw Object.assign(new Error('stay out'), { statusCode: status })
            })
        }
      )
      for (const n of [1, 2, 3]) await send(app, Task, { id: `k${n}`, n })
      await until(() => asked >= 5, { what: 'probes' })
      t.match(app.inbox.health(), { ready: false, reason: /paused: stay out/ })
      t.equal(await stored(pool), 0)
      t.equal(await app.inbox.lag(), 3n)
      closed = false
      await until(async () => (await effects(pool)).length === 3)
      t.same(app.inbox.health(), { ready: true })
      await until(async () => (await app.inbox.lag()) === 0n)
    })
  }

  t.test(`many keys fail one after another: the world is wrong (${name})`, { skip }, async t => {
    let broken = true
    let runs = 0
    const database = await testDatabase(t)
    const { app, pool } = await build(
      t,
      app => {
        app.onEvent(Task, async request => {
          runs++
          if (broken) throw new Error('downstream is away')
          await insertEffect(request.tx, request.body)
        })
      },
      { database, transport: transport(database.url), inbox: { pauseAfterKeys: 3 } }
    )
    for (let n = 0; n < 12; n++) await send(app, Task, { id: `k${n}`, n })
    await until(() => !app.inbox.health().ready, { what: 'pause' })
    const before = runs
    await until(() => runs > before + 3, { what: 'probes' })
    t.equal(await stored(pool), 2, 'those before the threshold are set aside, the others are nobody’s fault')
    broken = false
    await until(async () => {
      await app.inbox.tick()
      return (await effects(pool)).length === 12
    })
    t.same(app.inbox.health(), { ready: true })
  })
}

t.test('database down: pause, count nothing, go on by itself', async t => {
  const database = await testDatabase(t)
  const address = new URL(database.url)
  const proxy = await startProxy({ targetPort: Number(address.port) })
  t.teardown(() => proxy.close())
  address.hostname = '127.0.0.1'
  address.port = String(proxy.port)
  const { app, pool } = await build(
    t,
    app => {
      app.onEvent(Task, async request => insertEffect(request.tx, request.body))
    },
    { database, url: address.href }
  )
  await proxy.cut()
  for (let n = 0; n < 5; n++) await send(app, Task, { id: `k${n}`, n })
  await until(() => !app.inbox.health().ready, { what: 'pause' })
  t.equal(await app.inbox.lag(), 5n)
  await proxy.restore()
  await until(async () => (await effects(pool)).length === 5)
  t.same(app.inbox.health(), { ready: true })
  const { rows } = await pool.query('select distinct state, attempts from steadfast.inbox')
  t.same(rows, [{ state: 'DONE', attempts: 0 }])
})

t.test('sessions killed while handlers run: again, uncounted', async t => {
  const database = await testDatabase(t)
  let kills = 2
  const { app, pool } = await build(
    t,
    app => {
      app.onEvent(Task, async request => {
        await insertEffect(request.tx, request.body)
        if (kills-- > 0) {
          const { rows } = await request.tx.query<{ pid: number }>('select pg_backend_pid() as pid')
          await database.pool.query('select pg_terminate_backend($1)', [rows[0]?.pid])
        }
        await request.tx.query('select 1')
      })
    },
    { database }
  )
  await send(app, Task, { id: 'k', n: 1 })
  await until(async () => (await effects(pool)).length === 1)
  const { rows } = await pool.query('select state, attempts from steadfast.inbox')
  t.same(rows, [{ state: 'DONE', attempts: 0 }])
})

t.test('the inbox’s own statements fail: nothing is lost, nothing refused', async t => {
  const { app, pool } = await build(t, app => {
    app.onEvent(Task, async request => insertEffect(request.tx, request.body))
  })
  await pool.query('alter table steadfast.inbox rename column envelope to envelop')
  await send(app, Task, { id: 'k', n: 1 })
  await until(() => !app.inbox.health().ready)
  await pool.query('alter table steadfast.inbox rename column envelop to envelope')
  await until(async () => (await effects(pool)).length === 1)
})
