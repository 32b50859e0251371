import { randomUUID } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { testDatabase, until } from '@steadfast/dev-services'
import {
  advanceReplay,
  type CountedReplay,
  listReplayItems,
  listReplays,
  startReplay,
  stopReplay,
  storeOn
} from '@steadfast/store/internal'
import type pg from 'pg'
import t from 'tap'
import { deliver } from '../src/testing.ts'
import {
  build,
  effects,
  events,
  groupOf,
  insertEffect,
  send,
  sendMany,
  TASKS,
  Task,
  TaskDone,
  transports
} from './helper.ts'

// a busy machine takes its time
t.setTimeout(240_000)

for (const { name, skip, transport } of transports(t)) {
  t.test(`a bug in a handler is fixed and the day rerun (${name})`, { skip }, async t => {
    let isBuggy = true
    const seen: { replay: boolean; answer: string }[] = []
    const database = await testDatabase(t)
    const group = `worker-${randomUUID()}`
    const { app, pool } = await build(
      t,
      app => {
        app.onEvent(Task, async (request, reply) => {
          const { id, n } = request.body
          await request.tx.query(
            'insert into total (id, n) values ($1, $2) on conflict (id) do update set n = excluded.n',
            [id, isBuggy ? -n : n]
          )
          const answer = await reply.sendEvent(TaskDone, request.body)
          if (n === 2 && !isBuggy) await reply.sendEvent(TaskDone, { id: 'more', n })
          seen.push({ replay: request.event.replay, answer: answer.id })
        })
      },
      {
        database,
        transport: transport(database.url),
        inbox: { group },
        before: async () =>
          void (await database.pool.query('create table total (id text primary key, n integer not null)'))
      }
    )
    const key = randomUUID()
    const totals = async () =>
      (await pool.query('select n from total where id like $1 order by id', [`${key}%`])).rows.map(({ n }) => n)
    const from = new Date()
    for (const n of [1, 2, 3]) await send(app, Task, { id: `${key}-${n}`, n })
    await until(async () => (await totals()).length === 3)
    t.same(await totals(), [-1, -2, -3])
    await until(async () => (await app.inbox.lag()) === 0n)
    await pool.query(`update steadfast.event set status = 'PUBLISHED', due = false, count = 1`)
    const answers = await events(pool, TaskDone.type)

    isBuggy = false
    seen.length = 0
    const id = randomUUID()
    const started = await startReplay(storeOn(pool), { id, consumer: group, from, actor: 'me' })
    t.equal(started.total, 3)
    await app.inbox.tick()
    await until(async () => (await totals()).every(n => n > 0), { what: 'the column is right' })
    await until(async () => (await app.inbox.lag()) === 0n)
    t.same(await totals(), [1, 2, 3])
    t.ok(seen.length === 3 && seen.every(({ replay }) => replay))
    t.same(new Set(seen.map(s => s.answer)), new Set(answers.map(a => a.id)), 'the handler sees the ids of then')
    const after = await events(pool, TaskDone.type)
    t.same(
      after.filter(e => answers.some(a => a.id === e.id)),
      answers,
      'answers are not sent anew'
    )
    t.same(
      after.slice(3).map(({ key, due }) => [key, due]),
      [['more', true]],
      'what was not sent then is sent now'
    )

    await until(async () => (await app.inbox.tick()) === 0 && (await replayOf(pool, id)).state === 'ended', {
      what: 'the replay to end by itself'
    })
    t.equal(seen.length, 3, 'once for each replay')
    t.match(await replayOf(pool, id), { total: 3, done: 3, failed: 0, missing: 0, left: 0 })
    await pool.query(`update steadfast.event set status = 'PUBLISHED', due = false, count = 1`)
    await startReplay(storeOn(pool), {
      id: randomUUID(),
      consumer: group,
      from,
      answers: 'stored',
      actor: 'me'
    })
    await app.inbox.tick()
    await until(() => seen.length === 6)
    await until(async () => (await events(pool, TaskDone.type)).filter(e => e.due && e.replay).length === 4, {
      what: 'answers out again'
    })
    t.equal((await events(pool, TaskDone.type)).length, 4, 'under their own ids')
  })
}

for (const { name, skip, transport } of transports(t)) {
  t.test(`an operator replays while the group lags: nothing unread is lost (${name})`, { skip }, async t => {
    const database = await testDatabase(t)
    const group = `worker-${randomUUID()}`
    const key = randomUUID()
    let open: () => void = () => {}
    const opened = new Promise<void>(resolve => {
      open = resolve
    })
    const { app, pool } = await build(
      t,
      app => {
        app.onEvent(Task, async request => {
          if (request.body.n > 60) await opened
          await insertEffect(request.tx, request.body)
        })
        app.ignoreEvents(TASKS, '*')
      },
      { database, transport: transport(database.url), inbox: { group, maxInFlight: 10 } }
    )
    const handled = async () => {
      const { rows } = await pool.query('select count(distinct n)::int as n from effect where id like $1', [`${key}%`])
      return rows[0].n
    }
    await sendMany(app, key, 1, 60)
    await until(async () => (await handled()) === 60, { timeoutMs: 30_000 })
    await sendMany(app, key, 61, 100)
    await until(async () => (await app.inbox.lag()) >= 100n)
    const since = new Date()
    await until(() => Date.now() > since.getTime() + 5)
    await sendMany(app, key, 161, 50)
    await startReplay(storeOn(pool), { id: randomUUID(), consumer: group, from: since, actor: 'me' })
    await app.inbox.tick()
    open()
    await until(async () => (await app.inbox.lag()) === 0n, { timeoutMs: 30_000 })
    t.equal(await handled(), 210)
  })
}

t.test('a rerun that fails changes nothing and raises an alarm', async t => {
  let run = 0
  const { app, pool } = await build(t, app => {
    app.onEvent(Task, async request => {
      await request.tx.query('insert into effect (id, n) values ($1, $2)', [request.body.id, ++run])
      if (run > 1) throw Object.assign(new Error('still broken'), { statusCode: 409 })
    })
  })
  const alarms: unknown[] = []
  const listener = (message: unknown) => alarms.push(message)
  subscribe('steadfast:inbox:alarm', listener)
  t.teardown(() => unsubscribe('steadfast:inbox:alarm', listener))
  const replayId = randomUUID()
  const id = await send(app, Task, { id: 'k', n: 1 })
  await until(() => run === 1)
  await until(async () => (await app.inbox.lag()) === 0n)
  await startReplay(storeOn(pool), {
    id: replayId,
    consumer: groupOf('worker'),
    from: new Date(0),
    actor: 'me'
  })
  await app.inbox.tick()
  await until(async () => run === 2 && (await app.inbox.lag()) === 0n)
  t.equal(alarms.length, 1)
  t.match(alarms[0], { code: 'SF_INBOX_REPLAY_FAILED', eventId: id, message: /still broken/ })
  t.same((await pool.query('select state, outcome from steadfast.inbox')).rows, [{ state: 'DONE', outcome: 200 }])
  t.same((await pool.query('select n from effect')).rows, [{ n: 1 }])
  await until(async () => (await app.inbox.tick()) === 0 && (await replayOf(pool, replayId)).state === 'ended')
  t.match(await replayOf(pool, replayId), { total: 1, done: 0, failed: 1, missing: 0, left: 0 })
  const failures = await listReplayItems(storeOn(pool), { replayId, state: 'FAILED' }, { limit: 9 })
  t.same(
    failures.map(({ eventId, error }) => [eventId, error?.message]),
    [[id, 'still broken']]
  )
  t.equal(run, 2)
})

t.test('stopping the second of two replays makes the first run nothing again', async t => {
  const runs: string[] = []
  const { app, pool } = await build(t, app => {
    app.onEvent(Task, async request => {
      runs.push(`${request.body.id}${request.event.replay ? ' again' : ''}`)
    })
  })
  const consumer = groupOf('worker')
  const store = storeOn(pool)
  for (const id of ['a', 'b']) await send(app, Task, { id, n: 1 })
  await until(async () => runs.length === 2 && (await app.inbox.lag()) === 0n)
  const start = async () =>
    (await startReplay(store, { id: randomUUID(), consumer, from: new Date(0), actor: 'me' })).id
  const [first, second] = [await start(), await start()]
  await app.inbox.tick()
  await until(async () => (await replayOf(pool, first)).done === 2)
  t.equal((await replayOf(pool, second)).state, 'waiting')
  await stopReplay(store, { id: second, actor: 'me' })
  await app.inbox.tick()
  await until(async () => (await app.inbox.tick()) === 0 && (await replayOf(pool, first)).state === 'ended')
  const third = await start()
  await until(async () => (await app.inbox.tick()) === 0 && (await replayOf(pool, third)).state === 'ended')
  t.same(runs.toSorted(), ['a', 'a again', 'a again', 'b', 'b again', 'b again'])
})

t.test('what the log does not hold any more is counted as missing, and the replay ends', async t => {
  const { app, pool } = await build(t, app => {
    app.onEvent(Task, async () => {})
  })
  await send(app, Task, { id: 'a', n: 1 })
  t.match(await deliver(app, Task, { id: 'gone', n: 1 }), { outcome: 'handled' })
  await until(async () => (await pool.query('select from steadfast.inbox')).rows.length === 2)
  const id = randomUUID()
  await startReplay(storeOn(pool), { id, consumer: groupOf('worker'), from: new Date(0), actor: 'me' })
  await until(async () => {
    await app.inbox.tick()
    await pool.query(`update steadfast.replay set pass_at = pass_at - interval '1 minute'`)
    return (await replayOf(pool, id)).state === 'ended'
  })
  t.match(await replayOf(pool, id), { total: 2, done: 1, failed: 0, missing: 1, left: 0 })
})

t.test('the log is rewound again for what another process had not taken back', async t => {
  const { app, pool } = await build(t, app => {
    app.onEvent(Task, async () => {})
  })
  await send(app, Task, { id: 'a', n: 1 })
  await until(
    async () => (await app.inbox.lag()) === 0n && (await pool.query('select from steadfast.inbox')).rows.length === 1
  )
  const id = randomUUID()
  await startReplay(storeOn(pool), { id, consumer: groupOf('worker'), from: new Date(0), actor: 'me' })
  // Another process has begun it, and then lost the partition to this one without rewinding it.
  await advanceReplay(storeOn(pool), { id, pass: 0, passes: 2, end: '{}', settleMs: 1 })
  await advanceReplay(storeOn(pool), { id, pass: 1, passes: 2, end: '{}', settleMs: 0 })
  await app.inbox.tick()
  await until(async () => (await app.inbox.tick()) === 0 && (await replayOf(pool, id)).state === 'ended')
  t.match(await replayOf(pool, id), { total: 1, done: 1, missing: 0 })
})

t.test('another group whose log is read again sends none of the answers of the service', async t => {
  const projected: number[] = []
  const { app, pool } = await build(t, app => {
    app.onEvent(Task, async (request, reply) => {
      await reply.sendEvent(TaskDone, request.body)
    })
    app.onEvent(Task, { group: 'projection' }, async request => void projected.push(request.body.n))
  })
  const sent = { id: randomUUID(), position: '0:7' }
  t.match(await deliver(app, Task, { id: 'k', n: 1 }, sent), { outcome: 'handled' })
  t.match(await deliver(app, Task, { id: 'k', n: 1 }, { ...sent, group: 'projection' }), { outcome: 'handled' })
  await pool.query(`update steadfast.event set status = 'PUBLISHED', due = false, count = 1`)
  const due = async () => (await pool.query('select type from steadfast.event where due')).rows
  for (const position of ['0:7', '0:8', '1:9']) {
    const again = { ...sent, group: 'projection', position }
    t.match(await deliver(app, Task, { id: 'k', n: 1 }, again), {
      outcome: position === '0:7' ? 'skipped' : 'duplicate'
    })
  }
  t.same(await due(), [])
  t.match(
    await deliver(app, Task, { id: 'k', n: 1 }, sent),
    { outcome: 'skipped' },
    'the same record: nobody has sent it again'
  )
  t.same(await due(), [])
  t.match(await deliver(app, Task, { id: 'k', n: 1 }, { ...sent, position: '0:9' }), { outcome: 'duplicate' })
  t.same(await due(), [{ type: TaskDone.type }])
  t.same(projected, [1])
})

t.test('while a replay is active, a resend that comes meanwhile still gets its stored answer', async t => {
  const { app, pool } = await build(t, app => {
    app.onEvent(Task, async (request, reply) => {
      await reply.sendEvent(TaskDone, request.body)
    })
  })
  const id = randomUUID()
  t.match(await deliver(app, Task, { id: 'k', n: 1 }, { id }), { outcome: 'handled' })
  await pool.query(`update steadfast.event set status = 'PUBLISHED', due = false, count = 1`)
  await startReplay(storeOn(pool), { id: randomUUID(), consumer: groupOf('worker'), from: new Date(0), actor: 'me' })
  await app.inbox.tick()
  const later = new Date(Date.now() + 1000)
  t.match(await deliver(app, Task, { id: 'k', n: 1 }, { id, timestamp: later }), { outcome: 'duplicate' })
  t.same(
    (await events(pool, TaskDone.type)).map(({ due, replay }) => [due, replay]),
    [[true, true]]
  )
})

t.test('a log that cannot be rewound keeps no retry waiting', async t => {
  let isBroken = true
  const { app, pool } = await build(
    t,
    app => {
      app.onEvent(Task, async request => {
        if (isBroken) throw new Error('broken')
        await insertEffect(request.tx, request.body)
      })
    },
    {
      before(app) {
        const { subscribe } = app.transport
        app.transport.subscribe = async (...given) => {
          const subscription = await subscribe(...given)
          return { ...subscription, rewind: () => Promise.reject(new Error('no rewinding')) }
        }
      }
    }
  )
  t.match(await deliver(app, Task, { id: 'k', n: 1 }), { outcome: 'set-aside' })
  isBroken = false
  await startReplay(storeOn(pool), { id: randomUUID(), consumer: groupOf('worker'), from: new Date(0), actor: 'me' })
  await t.rejects(app.inbox.tick(), { message: 'no rewinding' }, 'it is told')
  t.same(await effects(pool, 'k'), [1])
})

async function replayOf(pool: pg.Pool, id: string): Promise<CountedReplay> {
  const [replay] = await listReplays(storeOn(pool), { id }, { limit: 1 })
  if (replay === undefined) throw new Error(`no replay ${id}`)
  return replay
}
