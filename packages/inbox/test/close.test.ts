import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { testDatabase, until } from '@steadfast/dev-services'
import t from 'tap'
import { build, effects, insertEffect, memory, send, Task } from './helper.ts'

t.test('close waits for handlers that run, and leaves the rest undone', async t => {
  const database = await testDatabase(t)
  let release = () => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  let started = 0
  const transport = memory()
  const declare = (wait: boolean) => (app: Parameters<Parameters<typeof build>[1]>[0]) =>
    void app.onEvent(Task, async request => {
      started++
      await insertEffect(request.tx, request.body)
      if (wait) await held
    })
  const { app, pool } = await build(t, declare(true), { database, transport })
  for (const n of [1, 2, 3]) await send(app, Task, { id: 'k', n })
  await until(() => started === 1)
  const closed = app.close()
  await until(
    () =>
      app.inject('/').then(
        () => false,
        () => true
      ),
    { what: 'inject throws' }
  )
  release()
  await closed
  t.same(await effects(pool), [1], 'what ran has committed; what waited has not begun')
  t.equal(started, 1)
  await build(t, declare(false), { database, transport })
  await until(async () => (await effects(pool)).length === 3)
  t.same(await effects(pool), [1, 2, 3])
})

t.test('a handler beyond the deadline does not keep the server from closing', async t => {
  let started = false
  const { app, pool } = await build(
    t,
    app =>
      void app.onEvent(Task, { timeoutMs: 600_000 }, async request => {
        started = true
        await insertEffect(request.tx, request.body)
        await new Promise(() => {})
      }),
    { inbox: { closeDeadlineMs: 50 } }
  )
  await send(app, Task, { id: 'k', n: 1 })
  await until(() => started)
  await app.close()
  t.same(await effects(pool), [])
})

t.test('failing, waiting and paused deliveries are given up, not failed', async t => {
  let asked = 0
  const { app, pool } = await build(t, app => {
    app.onEvent(Task, { retry: { quickRetryDelayMs: 60_000 } }, async (request, reply) => {
      asked++
      if (request.body.id === 'wait') return reply.code(503).header('retry-after', '2').send()
      throw new Error('broken')
    })
  })
  await send(app, Task, { id: 'wait', n: 1 })
  await send(app, Task, { id: 'fail', n: 1 })
  await until(() => asked === 2)
  await app.close()
  t.equal((await pool.query('select from steadfast.inbox')).rowCount, 0)
})

t.test('start and stop many times: no listener, timer or session stays', async t => {
  const database = await testDatabase(t)
  const before = process.listenerCount('warning')
  for (let i = 0; i < 20; i++) {
    const { app } = await build(t, app => void app.onEvent(Task, async () => {}), {
      database,
      inbox: { retryPollMs: 1 }
    })
    await app.close()
  }
  t.equal(process.listenerCount('warning'), before)
  const { rows } = await database.pool.query(
    `select count(*)::integer as n from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'`
  )
  t.same(rows, [{ n: 0 }])
})

t.test(
  'the server closes while other plugins still end: deliveries are left undone, and nothing is an error',
  async t => {
    const lines: string[] = []
    const stream = { write: (line: string) => void lines.push(line) }
    const ending = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    let handedOut = 0
    const count = () => void handedOut++
    subscribe('steadfast:inbox:delivery', count)
    t.teardown(() => unsubscribe('steadfast:inbox:delivery', count))
    const { app, pool } = await build(
      t,
      app => {
        app.onEvent(Task, async request => insertEffect(request.tx, request.body))
      },
      {
        server: { logger: { level: 'error', stream } },
        before: app =>
          void app.addHook('preClose', async () => {
            begun.resolve()
            await ending.promise
          })
      }
    )
    await send(app, Task, { id: 'a', n: 1 })
    await until(async () => (await effects(pool)).length === 1)
    const closing = app.close()
    await begun.promise
    for (let n = 2; n < 10; n++) await send(app, Task, { id: `k${n}`, n })
    await until(() => handedOut === 9, { what: 'all to be handed out, by a server that runs nothing any more' })
    t.same(app.inbox.health(), { ready: true })
    ending.resolve()
    await closing
    t.same(lines, [])
    t.same(await effects(pool), [1])
  }
)
