import { randomUUID } from 'node:crypto'
import { testDatabase, until } from '@steadfast/dev-services'
import t from 'tap'
import { deliver } from '../src/testing.ts'
import { build, effects, insertEffect, Task, TaskDone } from './helper.ts'

t.test('two processes have the same event: the second waits on the unique key', async t => {
  const database = await testDatabase(t)
  let release = () => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  let runs = 0
  const declare = (wait: boolean) => (app: Parameters<Parameters<typeof build>[1]>[0]) =>
    void app.onEvent(Task, { lockTimeoutMs: 100 }, async (request, reply) => {
      runs++
      await insertEffect(request.tx, request.body)
      await reply.sendEvent(TaskDone, request.body)
      if (wait) await held
    })
  const stopped = await build(t, declare(true), { database })
  const lively = await build(t, declare(false), { database })
  const id = randomUUID()
  const data = { id: 'k', n: 1 }
  const first = deliver(stopped.app, Task, data, { id })
  await until(() => runs === 1)
  const second = deliver(lively.app, Task, data, { id })
  await until(async () => isWaiting(database.pool), { what: 'the second waits, and again after its lock_timeout' })
  release()
  t.match(await first, { outcome: 'handled' })
  t.match(await second, { outcome: 'duplicate' })
  t.equal(runs, 1)
  t.same(await effects(database.pool), [1])
})

t.test('the first of two rolls back: the second has the effect', async t => {
  const database = await testDatabase(t)
  let release = () => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  let runs = 0
  const stopped = await build(
    t,
    app =>
      void app.onEvent(Task, async request => {
        runs++
        await insertEffect(request.tx, request.body)
        await held
        throw Object.assign(new Error('no'), { statusCode: 409 })
      }),
    { database }
  )
  const lively = await build(
    t,
    app => void app.onEvent(Task, async request => insertEffect(request.tx, request.body)),
    { database }
  )
  const id = randomUUID()
  const first = deliver(stopped.app, Task, { id: 'k', n: 1 }, { id })
  await until(() => runs === 1)
  const second = deliver(lively.app, Task, { id: 'k', n: 1 }, { id })
  await until(async () => isWaiting(database.pool), { what: 'the second waits' })
  release()
  t.match(await first, { outcome: 'duplicate' }, 'its verdict came too late')
  t.match(await second, { outcome: 'handled' })
  t.same(await effects(database.pool), [1])
})

async function isWaiting(pool: { query(text: string): Promise<{ rowCount: number | null }> }) {
  const { rowCount } = await pool.query(
    `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`
  )
  return rowCount
}
