import { testDatabase, until } from '@steadfast/dev-services'
import t from 'tap'
import { build, effects, inboxRow, insertEffect, proxied, send, Task, transports } from './helper.ts'

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
      t.match(app.inbox.health(), {
        ready: false,
        reason: /paused: an onRequest hook answered \d+ before the handler, POST .*: stay out/
      })
      t.equal(await stored(pool), 0)
      t.equal(await app.inbox.lag(), 3n)
      closed = false
      await until(async () => (await effects(pool)).length === 3)
      t.same(app.inbox.health(), { ready: true })
      await until(async () => (await app.inbox.lag()) === 0n)
    })
  }
}

const hooks = [
  { hook: 'onRequest', named: 'an onRequest hook' },
  { hook: 'preValidation', named: 'a preParsing or preValidation hook' },
  { hook: 'preHandler', named: 'a preHandler hook' }
] as const

for (const { hook, named } of hooks)
  for (const status of [200, 302, 400, 409, 410, 422, 429, 500, 503]) {
    t.test(`a ${hook} hook of the server answers ${status}: no verdict, no failure, and health names it`, async t => {
      let closed = true
      let asked = 0
      const { app, pool } = await build(
        t,
        app => {
          app.onEvent(Task, async request => insertEffect(request.tx, request.body))
        },
        {
          before: app =>
            void app.addHook(hook, async (_request, reply) => {
              asked++
              if (closed)
                return reply.code(status).header('retry-after', '3600').send({ message: 'not now', code: 'HOST' })
            })
        }
      )
      for (const n of [1, 2, 3]) await send(app, Task, { id: `k${n}`, n })
      await until(() => asked >= 5, { what: 'probes' })
      const { ready, reason } = app.inbox.health()
      t.equal(ready, false)
      t.ok(reason?.includes(`${named} answered ${status} before the handler, POST /steadfast/events/`), String(reason))
      if (status >= 400) t.ok(reason?.endsWith('HOST: not now'), String(reason))
      t.equal(await stored(pool), 0)
      closed = false
      await until(async () => (await effects(pool)).length === 3)
      t.same(app.inbox.health(), { ready: true })
      const { rows } = await pool.query('select distinct state, attempts from steadfast.inbox')
      t.same(rows, [{ state: 'DONE', attempts: 0 }])
    })
  }

t.test('a server that rewrites URLs: the group pauses, and health says why', async t => {
  let rewrites = true
  const { app, pool } = await build(
    t,
    app => {
      app.onEvent(Task, async request => insertEffect(request.tx, request.body))
    },
    { server: { rewriteUrl: ({ url }) => (rewrites ? '/elsewhere' : (url ?? '/')) } }
  )
  await send(app, Task, { id: 'k', n: 1 })
  await until(() => !app.inbox.health().ready)
  t.match(app.inbox.health().reason, /an onRequest hook, or a rewritten URL, answered 404 before the handler/)
  rewrites = false
  await until(async () => (await effects(pool)).length === 1)
})

t.test('what was set aside meets a closed door: the group finds its way back without a fresh delivery', async t => {
  let fails = true
  let closed = false
  const { app, pool } = await build(
    t,
    app => {
      app.onEvent(Task, async request => {
        if (fails) throw new Error('not yet')
        await insertEffect(request.tx, request.body)
      })
    },
    {
      inbox: { retryPollMs: 20, retry: { quickRetries: 0, quickRetryDelayMs: 1, delaysMs: Array(1000).fill(20) } },
      before: app =>
        void app.addHook('onRequest', async (_request, reply) => {
          if (closed) return reply.code(503).send()
        })
    }
  )
  const id = await send(app, Task, { id: 'k', n: 1 })
  await until(async () => (await inboxRow(pool, id))?.state === 'RETRY')
  closed = true
  await until(() => !app.inbox.health().ready, { what: 'pause' })
  // Not before: a run that was past the hook would succeed, and nothing would meet the closed door.
  fails = false
  closed = false
  await until(async () => (await effects(pool)).length === 1)
  t.same(app.inbox.health(), { ready: true })
})

t.test('the world is wrong for what was set aside only: that counts, and the others go on', async t => {
  let refuses = false
  const { app, pool } = await build(
    t,
    app => {
      app.onEvent(Task, async request => {
        if (request.body.n === 1) throw new Error('not this one')
        await insertEffect(request.tx, request.body)
      })
    },
    {
      inbox: { retryPollMs: 20, retry: { quickRetries: 0, quickRetryDelayMs: 1, delaysMs: Array(8).fill(20) } },
      before: app =>
        void app.addHook('preHandler', async request => {
          if (refuses && request.event && (request.body as { n: number }).n === 1)
            throw Object.assign(new Error('not with this one'), { statusCode: 422 })
        })
    }
  )
  const id = await send(app, Task, { id: 'bad', n: 1 })
  await until(async () => (await inboxRow(pool, id))?.state === 'RETRY')
  refuses = true
  let n = 2
  await until(
    async () => {
      await send(app, Task, { id: `k${n}`, n: n++ })
      return (await inboxRow(pool, id))?.state === 'HELD'
    },
    { intervalMs: 30, what: 'it is given to a person' }
  )
  await until(async () => (await effects(pool)).length === n - 2)
  t.equal((await inboxRow(pool, id))?.error?.code, 'SF_INBOX_NOT_REACHED', 'not by its handler')
  t.same(app.inbox.health(), { ready: true })
})

t.test('database down: pause, count nothing, go on by itself', async t => {
  const database = await testDatabase(t)
  const { proxy, url } = await proxied(t, database.url)
  const { app, pool } = await build(
    t,
    app => {
      app.onEvent(Task, async request => insertEffect(request.tx, request.body))
    },
    { database, url }
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

t.test('the world is wrong for one delivery only: it is set aside, and the others go on', async t => {
  const { app, pool } = await build(
    t,
    app => {
      app.onEvent(Task, async request => insertEffect(request.tx, request.body))
    },
    {
      before: app =>
        void app.addHook('preValidation', async request => {
          if (request.event && (request.body as { n: number }).n === 1)
            throw Object.assign(new Error('not with this one'), { statusCode: 403 })
        })
    }
  )
  const id = await send(app, Task, { id: 'bad', n: 1 })
  let n = 2
  await until(
    async () => {
      await send(app, Task, { id: `k${n}`, n: n++ })
      return (await inboxRow(pool, id))?.state === 'RETRY'
    },
    { intervalMs: 30, what: 'it is set aside' }
  )
  await until(async () => (await effects(pool)).length === n - 2)
  t.same(app.inbox.health(), { ready: true })
})

t.test('the database comes back while all that is in flight fails: the group finds its way back', async t => {
  const database = await testDatabase(t)
  const { proxy, url } = await proxied(t, database.url)
  const { app, pool } = await build(
    t,
    app => {
      app.onEvent(Task, async request => {
        if (request.body.n < 0) throw new TypeError('no way')
        await insertEffect(request.tx, request.body)
      })
    },
    { database, url, inbox: { maxInFlight: 5 } }
  )
  await proxy.cut()
  for (let n = -5; n < 0; n++) await send(app, Task, { id: `k${n}`, n })
  await until(() => !app.inbox.health().ready, { what: 'pause' })
  await proxy.restore()
  await until(() => app.inbox.health().ready, { what: 'it goes on, although nothing has succeeded' })
  for (let n = 0; n < 5; n++) await send(app, Task, { id: `k${n}`, n })
  await until(async () => (await effects(pool)).length === 5)
  t.same((await effects(pool)).toSorted(), [0, 1, 2, 3, 4])
  const setAside = async () =>
    (await pool.query(`select event_id from steadfast.inbox where state = 'RETRY'`)).rows.length
  await until(async () => (await setAside()) === 5, { what: 'what fails is set aside' })
})
