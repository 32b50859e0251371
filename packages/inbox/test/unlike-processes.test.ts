import { randomUUID } from 'node:crypto'
import { testDatabase, until } from '@steadfast/dev-services'
import { defineEvent } from '@steadfast/events'
import { findRunnable, storeOn } from '@steadfast/store/internal'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { Type } from 'typebox'
import { memoryBroker } from '../../events/test/memory-transport.ts'
import { isNewer } from '../src/data-version.ts'
import { deliver, retryOnce } from '../src/testing.ts'
import {
  build,
  effects,
  events,
  groupOf,
  inboxRow,
  insertEffect,
  memory,
  Note,
  SIGNALS,
  send,
  TASKS,
  Task
} from './helper.ts'

// a busy machine takes its time
t.setTimeout(240_000)

const knowsTask = (app: FastifyInstance) =>
  void app.onEvent(Task, async request => void (await insertEffect(request.tx, request.body)))
const knowsBoth = (app: FastifyInstance) => {
  app.onEvent(Task, async request => void (await insertEffect(request.tx, request.body)))
  app.onEvent(Note, async request => void (await insertEffect(request.tx, request.body)))
}
const unfinished = `select count(*)::int as count from steadfast.inbox where state in ('RETRY', 'BLOCKED', 'UNKNOWN', 'HELD')`

t.test('a process without the handler refuses nothing: fresh deliveries are left to one that has it', async t => {
  const database = await testDatabase(t)
  const broker = memoryBroker()
  const old = await build(t, knowsTask, { database, transport: memory(broker) })
  const other = await build(t, knowsBoth, { database, transport: memory(broker) })
  const { pool } = database
  for (let n = 0; n < 60; n++) await send(old.app, Note, { id: `note-${n}`, n }, { replyTo: SIGNALS })
  await until(
    async () => {
      await Promise.all([retryOnce(old.app), retryOnce(other.app)])
      return (await effects(pool)).length === 60
    },
    { what: 'all are handled' }
  )
  t.same(
    (await effects(pool)).toSorted((a, b) => a - b),
    Array.from({ length: 60 }, (_, n) => n)
  )
  t.same((await pool.query('select distinct state from steadfast.inbox')).rows, [{ state: 'DONE' }])
  t.same(await events(pool, 'steadfast.refused'), [])
})

t.test('a retry survives a second process that does not know its type, and one without handlers', async t => {
  const database = await testDatabase(t)
  let broken = true
  const worker = await build(
    t,
    app =>
      void app.onEvent(Task, { retry: { quickRetries: 0, delaysMs: [0, 0, 0] } }, async request => {
        if (broken) throw new Error('broken')
        await insertEffect(request.tx, request.body)
      }),
    { database }
  )
  const id = randomUUID()
  const next = randomUUID()
  await deliver(worker.app, Task, { id: 'k', n: 1 }, { id, replyTo: SIGNALS })
  await deliver(worker.app, Task, { id: 'k', n: 2 }, { id: next, replyTo: SIGNALS })
  const web = await build(t, () => {}, { database, inbox: { retryPollMs: 0 } })
  const old = await build(t, app => void app.onEvent(Note, async () => {}), { database })
  for (const { app } of [web, old]) t.equal(await retryOnce(app), 0)
  t.match(await inboxRow(database.pool, id), { state: 'RETRY', attempts: 1 })
  t.equal((await inboxRow(database.pool, next))?.state, 'BLOCKED')
  broken = false
  t.equal(await retryOnce(worker.app), 2)
  t.same(await effects(database.pool, 'k'), [1, 2])
  t.same(await events(database.pool, 'steadfast.refused'), [])
})

t.test(
  'after a roll-back what only the newer version knows waits in order, and the next roll-out handles it',
  async t => {
    const database = await testDatabase(t)
    const { pool } = database
    const lines: string[] = []
    const logger = { level: 'warn', stream: { write: (line: string) => void lines.push(line) } }
    const old = await build(t, knowsTask, { database, server: { logger } })
    const ids: [string, string, string] = [randomUUID(), randomUUID(), randomUUID()]
    t.match(await deliver(old.app, Note, { id: 'k', n: 1 }, { id: ids[0], replyTo: SIGNALS }), { outcome: 'set-aside' })
    t.match(await deliver(old.app, Note, { id: 'k', n: 2 }, { id: ids[1] }), { outcome: 'set-aside' })
    t.match(await deliver(old.app, Task, { id: 'k', n: 3 }, { id: ids[2] }), { outcome: 'blocked' })
    await deliver(old.app, Task, { id: 'other', n: 9 })
    t.same(await effects(pool), [9], 'another key goes on')
    t.match(await inboxRow(pool, ids[0]), { state: 'UNKNOWN', error: { code: 'SF_INBOX_UNKNOWN_TYPE' } })
    t.equal((await inboxRow(pool, ids[0]))?.body?.toString(), JSON.stringify({ id: 'k', n: 1 }))
    t.equal((await inboxRow(pool, ids[1]))?.state, 'BLOCKED')
    t.equal(await retryOnce(old.app), 0)
    t.equal(lines.filter(line => line.includes('is not known to this process; left for one that knows it')).length, 1)
    t.match(await deliver(old.app, Note, { id: 'k', n: 1 }, { id: ids[0], replyTo: SIGNALS }), { outcome: 'duplicate' })
    t.same(await events(pool, 'steadfast.refused'), [])
    const newer = await build(t, knowsBoth, { database })
    t.equal(await retryOnce(newer.app), 3)
    t.same(await effects(pool, 'k'), [1, 2, 3])
  }
)

t.test('health says how many deliveries wait for a process that knows them, and names five types', async t => {
  const database = await testDatabase(t)
  const { pool } = database
  const old = await build(t, knowsTask, { database })
  const typed = (type: string) => ({ ...Note, type }) as unknown as typeof Note
  const leave = (type: string, n: number) => deliver(old.app, typed(type), { id: `${type}-${n}`, n })
  for (const type of ['shop.a', 'shop.b']) await leave(type, 1)
  await leave('shop.b', 2)
  t.same(old.app.inbox.health(), { ready: true }, 'nothing is counted when it is asked')
  await retryOnce(old.app)
  const of = `group "${groupOf('worker')}": `
  t.same(old.app.inbox.health(), {
    ready: true,
    reason: `${of}3 deliveries wait for a process that knows them: shop.b (2), shop.a (1)`
  })
  for (const type of ['shop.c', 'shop.d', 'shop.e', 'shop.f', `shop.${'z'.repeat(300)}`]) await leave(type, 1)
  const polling = await build(t, knowsTask, { database, inbox: { retryPollMs: 20 } })
  await until(() => polling.app.inbox.health().reason !== undefined, { what: 'its poll counts them' })
  t.same(polling.app.inbox.health(), {
    ready: true,
    reason: `${of}8 deliveries wait for a process that knows them: shop.b (2), shop.a (1), shop.c (1), shop.d (1), shop.e (1) and 2 other types`
  })
  await pool.query('delete from steadfast.inbox')
  await retryOnce(old.app)
  t.same(old.app.inbox.health(), { ready: true })
})

t.test('a blocked delivery whose turn comes, of a type nobody knows, begins to wait then', async t => {
  const database = await testDatabase(t)
  const { pool } = database
  const old = await build(t, knowsTask, { database })
  const ids: [string, string] = [randomUUID(), randomUUID()]
  await deliver(old.app, Note, { id: 'k', n: 1 }, { id: ids[0] })
  await deliver(old.app, Note, { id: 'k', n: 2 }, { id: ids[1] })
  await pool.query(`update steadfast.inbox set due_at = clock_timestamp() where event_id = $1`, [ids[0]])
  await retryOnce(old.app)
  t.match(await inboxRow(pool, ids[0]), { state: 'REFUSED', outcome: 404 })
  t.match(await inboxRow(pool, ids[1]), { state: 'UNKNOWN', error: { code: 'SF_INBOX_UNKNOWN_TYPE' } })
  const { rows } = await pool.query(
    `select due_at > clock_timestamp() + interval '50 min' as later from steadfast.inbox where event_id = $1`,
    [ids[1]]
  )
  t.same(rows, [{ later: true }], 'with a patience of its own')
})

t.test(
  'what nobody knew within the patience is refused, and told to nobody; ignored where a process ignores it',
  async t => {
    const database = await testDatabase(t)
    const { app, pool } = await build(t, knowsTask, { database, inbox: { unknownPatienceMs: 0 } })
    const id = randomUUID()
    await deliver(app, Note, { id: 'k', n: 1 }, { id, replyTo: SIGNALS })
    t.equal(await retryOnce(app), 1)
    t.match(await inboxRow(pool, id), { state: 'REFUSED', outcome: 404, error: { code: 'SF_INBOX_UNKNOWN_TYPE' } })
    t.equal((await inboxRow(pool, id))?.body?.toString(), JSON.stringify({ id: 'k', n: 1 }), 'kept as it came')
    t.same(await events(pool), [], 'nobody knows that this service is asked')

    const ignored = randomUUID()
    await deliver(app, Note, { id: 'k', n: 2 }, { id: ignored })
    const ignoring = await build(
      t,
      server => {
        knowsTask(server)
        server.ignoreEvents(TASKS, [Note.type])
      },
      { database }
    )
    t.equal(await retryOnce(ignoring.app), 1)
    t.match(await inboxRow(pool, ignored), { state: 'DONE', outcome: 204, body: null, error: null })
  }
)

t.test(
  'data of a newer version wait for a process that knows it, and are refused with a code of their own',
  async t => {
    const database = await testDatabase(t)
    const { pool } = database
    const version = (dataVersion: string) =>
      defineEvent({
        type: 'shop.versioned',
        topic: TASKS,
        key: d => d.id,
        dataVersion,
        data: Type.Object({ id: Type.String(), n: Type.Integer() })
      })
    const takes = (dataVersion: string) => (app: FastifyInstance) =>
      void app.onEvent(version(dataVersion), async request => void (await insertEffect(request.tx, request.body)))
    const old = await build(t, takes('1.9'), { database })
    const id = randomUUID()
    t.match(await deliver(old.app, version('1.10'), { id: 'k', n: 1 }, { id }), { outcome: 'set-aside' })
    t.match(await deliver(old.app, version('1.9.0'), { id: 'same', n: 2 }), { outcome: 'handled' })
    t.match(await deliver(old.app, version('1'), { id: 'older', n: 3 }), { outcome: 'handled' })
    t.match(await deliver(old.app, version('next'), { id: 'odd', n: 4 }), { outcome: 'handled' })
    t.match(await inboxRow(pool, id), { state: 'UNKNOWN', error: { code: 'SF_INBOX_NEWER_VERSION' } })
    t.equal(await retryOnce(old.app), 0)
    const newer = await build(t, takes('1.10'), { database })
    t.equal(await retryOnce(newer.app), 1)
    t.same(await effects(pool, 'k'), [1])
    await deliver(old.app, version('2'), { id: 'k', n: 5 }, { id: ids(5) })
    await pool.query(`update steadfast.inbox set due_at = clock_timestamp() where state = 'UNKNOWN'`)
    t.equal(await retryOnce(old.app), 1)
    t.match(await inboxRow(pool, ids(5)), { state: 'REFUSED', outcome: 422, error: { code: 'SF_INBOX_NEWER_VERSION' } })
    t.same((await pool.query(unfinished)).rows, [{ count: 0 }])
  }
)

t.test('the process and the statement agree on what is newer', async t => {
  const { app, pool } = await build(t, knowsTask)
  const db = storeOn(pool)
  const versions = [
    '1',
    '1.0',
    '01',
    '1.2',
    '1.10',
    '2',
    '0',
    '10',
    '1.0.1',
    'v2',
    '',
    '1.',
    '1-2',
    '1.2.3.4.5.6.7.8.9.10.11',
    '99999999999'
  ]
  for (const of of versions) {
    await pool.query('delete from steadfast.inbox')
    await deliver(app, Note, { id: 'k', n: 1 })
    await pool.query(
      `update steadfast.inbox set envelope = jsonb_set(envelope::jsonb, '{dataVersion}', to_jsonb($1::text))::json, due_at = clock_timestamp() + interval '1 h'`,
      [of]
    )
    for (const known of versions) {
      const declared = { types: [Note.type], versions: [known], patienceMs: 1000 }
      const found = (await findRunnable(db, groupOf('worker'), { limit: 10, known: declared })).length === 1
      t.equal(found, !isNewer(of, known), `${of} where ${known} is known`)
    }
  }
})

const ids = (n: number) => `00000000-0000-4000-8000-00000000000${n}`
