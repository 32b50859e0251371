import { randomUUID } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { matchWhole, testDatabase, until } from '@steadfast/dev-services'
import { startReplay, stopReplay, storeOn } from '@steadfast/store'
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
    const until_ = new Date()
    await pool.query(`update steadfast.event set status = 'PUBLISHED', due = false, count = 1`)
    const answers = await events(pool, TaskDone.type)

    isBuggy = false
    seen.length = 0
    const id = randomUUID()
    await startReplay(storeOn(pool), {
      id,
      consumer: group,
      from,
      until: new Date(until_.getTime() + 60_000),
      actor: 'me'
    })
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
    matchWhole(t, after.slice(3), [{ key: 'more', due: true }], 'what was not sent then is sent now')

    await app.inbox.tick()
    t.equal(seen.length, 3, 'once for each replay')
    await stopReplay(storeOn(pool), { id, actor: 'me' })
    await pool.query(`update steadfast.event set status = 'PUBLISHED', due = false, count = 1`)
    await startReplay(storeOn(pool), {
      id: randomUUID(),
      consumer: group,
      from,
      until: new Date(until_.getTime() + 60_000),
      resendAnswers: true,
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
  const id = await send(app, Task, { id: 'k', n: 1 })
  await until(() => run === 1)
  await until(async () => (await app.inbox.lag()) === 0n)
  await startReplay(storeOn(pool), {
    id: randomUUID(),
    consumer: groupOf('worker'),
    from: new Date(0),
    until: new Date(Date.now() + 60_000),
    actor: 'me'
  })
  await app.inbox.tick()
  await until(async () => run === 2 && (await app.inbox.lag()) === 0n)
  matchWhole(t, alarms, [{ code: 'SF_INBOX_REPLAY_FAILED', eventId: id, message: /still broken/ }])
  t.same((await pool.query('select state, outcome from steadfast.inbox')).rows, [{ state: 'DONE', outcome: 200 }])
  t.same((await pool.query('select n from effect')).rows, [{ n: 1 }])
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
  matchWhole(t, await events(pool, TaskDone.type), [{ due: true, replay: true }])
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
