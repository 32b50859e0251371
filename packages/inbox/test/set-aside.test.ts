import { randomUUID } from 'node:crypto'
import { matchWhole, testDatabase, until } from '@steadfast/dev-services'
import { releaseDelivery, reprocessDelivery, storeOn } from '@steadfast/store/internal'
import type { PoolClient, QueryResult } from 'pg'
import t, { type Test } from 'tap'
import { deliver, retryOnce } from '../src/testing.ts'
import { build, effects, events, groupOf, inboxRow, insertEffect, SIGNALS, send, Task, transports } from './helper.ts'

for (const { name, skip, transport } of transports(t)) {
  t.test(`a failing key waits, in order; the others go on (${name})`, { skip }, async t => {
    let broken = true
    const database = await testDatabase(t)
    const { app, pool } = await build(
      t,
      app => {
        app.onEvent(Task, async request => {
          if (request.body.id === 'bad' && request.body.n === 1 && broken) throw new Error('broken')
          await insertEffect(request.tx, request.body)
        })
      },
      {
        database,
        transport: transport(database.url),
        inbox: { retry: { quickRetries: 1, quickRetryDelayMs: 1, delaysMs: [0, 0, 0, 0, 0, 0] } }
      }
    )
    const ids: string[] = []
    for (const n of [1, 2, 3]) ids.push(await send(app, Task, { id: 'bad', n }))
    await send(app, Task, { id: 'good', n: 9 })
    await until(async () => (await effects(pool, 'good')).length === 1, { what: 'the other key' })
    await until(async () => (await app.inbox.lag()) === 0n, { what: 'offsets advance while the key waits' })
    t.same(await states(pool, ids), ['RETRY', 'BLOCKED', 'BLOCKED'])
    t.equal(await retryOnce(app), 0)
    t.same(await states(pool, ids), ['RETRY', 'BLOCKED', 'BLOCKED'], 'still broken')
    t.equal((await inboxRow(pool, ids[0] as string))?.attempts, 2)
    broken = false
    t.equal(await retryOnce(app), 3, 'one tick runs all that wait behind it')
    t.same(await effects(pool, 'bad'), [1, 2, 3])
    t.same(await states(pool, ids), ['DONE', 'DONE', 'DONE'])
    await send(app, Task, { id: 'bad', n: 4 })
    await until(async () => (await effects(pool, 'bad')).length === 4, { what: 'the key is free' })
  })
}

async function failing(t: Test, options: object = {}) {
  const state = { broken: true, runs: 0 }
  const built = await build(t, app => {
    app.onEvent(Task, { retry: { quickRetries: 0, delaysMs: [0] }, ...options }, async request => {
      state.runs++
      if (request.body.n === 1 && state.broken) throw new Error('broken')
      await insertEffect(request.tx, request.body)
    })
  })
  return { ...built, state, db: storeOn(built.pool), ids: [randomUUID(), randomUUID()] as [string, string] }
}

t.test('one that ends while more is looked for does not hide what waited behind it', async t => {
  const { app, pool, state, ids } = await failing(t)
  await deliver(app, Task, { id: 'k', n: 1 }, { id: ids[0] })
  await deliver(app, Task, { id: 'k', n: 2 }, { id: ids[1] })
  state.broken = false
  let hasEnded = false
  const host = app.pg.pool
  const connect = host.connect.bind(host) as () => Promise<PoolClient>
  const patched = new WeakSet<object>()
  // The answer of the look that finds nothing, since the first runs, comes when the first is done.
  host.connect = (async () => {
    const client = await connect()
    if (patched.has(client)) return client
    patched.add(client)
    const query = client.query.bind(client) as (...args: unknown[]) => Promise<QueryResult>
    client.query = (async (...args: unknown[]) => {
      const text = (args[0] as { text?: string }).text ?? String(args[0])
      const result = await query(...args)
      if (/^commit/i.test(text)) setImmediate(() => setImmediate(() => (hasEnded = true)))
      if (/with recursive/.test(text) && result.rows.length === 0)
        await until(() => hasEnded, { what: 'the first to end' })
      return result
    }) as typeof client.query
    return client
  }) as typeof host.connect
  t.equal(await retryOnce(app), 2)
  t.same(await effects(pool), [1, 2])
})

t.test('held: the key stops until a person reprocesses it', async t => {
  const { app, pool, db, state, ids } = await failing(t)
  t.match(await deliver(app, Task, { id: 'k', n: 1 }, { id: ids[0] }), { outcome: 'set-aside' })
  t.match(await deliver(app, Task, { id: 'k', n: 2 }, { id: ids[1] }), { outcome: 'blocked' })
  await retryOnce(app)
  t.same(await states(pool, ids), ['HELD', 'BLOCKED'])
  await retryOnce(app)
  t.equal(state.runs, 2, 'nothing of a held key runs')
  const alone = randomUUID()
  t.match(await deliver(app, Task, { id: 'l', n: 1 }, { id: alone }), { outcome: 'set-aside' })
  await retryOnce(app)
  t.same(await states(pool, [alone]), ['HELD'], 'nothing waits behind it')
  t.match(await deliver(app, Task, { id: 'l', n: 2 }), { outcome: 'blocked' }, 'what comes then waits all the same')
  t.equal(state.runs, 4)
  state.broken = false
  t.ok(await reprocessDelivery(db, { consumer: groupOf('worker'), eventId: ids[0], actor: 'me' }))
  t.equal(await retryOnce(app), 2)
  t.same(await effects(pool), [1, 2])
})

t.test('held: a person releases the key, and the rest of it goes on', async t => {
  const { app, pool, db, ids } = await failing(t)
  await deliver(app, Task, { id: 'k', n: 1 }, { id: ids[0] })
  await deliver(app, Task, { id: 'k', n: 2 }, { id: ids[1] })
  await retryOnce(app)
  const error = { status: 410, code: 'SKIPPED', message: 'not needed' }
  t.ok(await releaseDelivery(db, { consumer: groupOf('worker'), eventId: ids[0], actor: 'me', error }))
  t.equal(await retryOnce(app), 1)
  t.same(await effects(pool), [2])
  t.same(await states(pool, ids), ['REFUSED', 'DONE'])
})

t.test('onExhausted refuse: the verdict of exhausted retries, and the key goes on', async t => {
  const { app, pool, ids } = await failing(t, { onExhausted: 'refuse' })
  await deliver(app, Task, { id: 'k', n: 1 }, { id: ids[0], replyTo: SIGNALS })
  await deliver(app, Task, { id: 'k', n: 2 }, { id: ids[1] })
  await retryOnce(app)
  t.same(await states(pool, ids), ['REFUSED', 'DONE'])
  t.same(await effects(pool), [2])
  matchWhole(t, await events(pool, 'steadfast.refused'), [
    { causation_id: ids[0], payload: { message: 'broken', status: 500 } }
  ])
})

t.test('without delays, exhausted at once', async t => {
  const held = await failing(t, { retry: { quickRetries: 0, delaysMs: [] } })
  t.match(await deliver(held.app, Task, { id: 'k', n: 1 }, { id: held.ids[0] }), { outcome: 'set-aside' })
  t.match(await inboxRow(held.pool, held.ids[0]), { state: 'HELD', attempts: 1, error: { message: 'broken' } })
  const refused = await failing(t, { retry: { quickRetries: 0, delaysMs: [] }, onExhausted: 'refuse' })
  t.match(await deliver(refused.app, Task, { id: 'k', n: 1 }, { id: refused.ids[0] }), { outcome: 'refused' })
})

t.test('a retry that gives a verdict refuses; one that is asked to wait does not count', async t => {
  const script = [500, 503, 409]
  const { app, pool } = await build(t, app => {
    app.onEvent(Task, { retry: { quickRetries: 0, delaysMs: [0, 0] } }, async (_, reply) =>
      reply
        .code(script.shift() ?? 200)
        .header('retry-after', '0')
        .send()
    )
  })
  const id = randomUUID()
  await deliver(app, Task, { id: 'k', n: 1 }, { id })
  await retryOnce(app)
  t.match(await inboxRow(pool, id), { state: 'RETRY', attempts: 1 })
  await retryOnce(app)
  t.match(await inboxRow(pool, id), { state: 'REFUSED', outcome: 409 })
})

t.test('duplicates of what is set aside, blocked or held tell the sender that it is at work', async t => {
  const { app, pool, ids } = await failing(t)
  const options = { replyTo: SIGNALS }
  await deliver(app, Task, { id: 'k', n: 1 }, { id: ids[0], ...options })
  await deliver(app, Task, { id: 'k', n: 2 }, { id: ids[1], ...options })
  t.match(await deliver(app, Task, { id: 'k', n: 1 }, { id: ids[0], ...options }), { outcome: 'duplicate' })
  t.match(await deliver(app, Task, { id: 'k', n: 2 }, { id: ids[1], ...options }), { outcome: 'duplicate' })
  await retryOnce(app)
  t.match(await deliver(app, Task, { id: 'k', n: 1 }, { id: ids[0], ...options }), { outcome: 'duplicate' })
  const signals = await events(pool, 'steadfast.in-progress')
  t.same(
    signals.map(s => s.causation_id),
    [ids[0], ids[1], ids[0]]
  )
  t.match(signals[0], {
    topic: SIGNALS,
    key: 'k',
    is_answer: false,
    payload: { eventId: ids[0], consumer: groupOf('worker') }
  })
})

async function states(
  pool: { query(text: string, values: unknown[]): Promise<{ rows: { state: string }[] }> },
  ids: string[]
) {
  const { rows } = await pool.query('select state from steadfast.inbox where event_id = any($1) order by arrival', [
    ids
  ])
  return rows.map(({ state }) => state)
}
