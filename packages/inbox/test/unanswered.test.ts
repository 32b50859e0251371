import { randomUUID } from 'node:crypto'
import { matchWhole, until } from '@steadfast/dev-services'
import { type EventContract, RefusedSignal } from '@steadfast/events'
import { parkEvent, parkUnsendable, resolveEvent, startReplay, storeOn, sweepEvents } from '@steadfast/store/internal'
import t, { type Test } from 'tap'
import type { Unanswered } from '../src/index.ts'
import { deliver, deliveryOf, retryOnce } from '../src/testing.ts'
import { build, effects, insertEffect, Note, publish, SIGNALS, Task, TaskDone, type Teardown } from './helper.ts'

const d = { id: 'k', n: 1 }

interface Told {
  id: string
  key: string | undefined
  unanswered: Unanswered
}

/** A shop that takes back what it did when nobody answers its request; `behave` is its handler of that. */
async function shop(t: Test | Teardown, behave: (n: number) => void | Promise<void> = () => {}) {
  const told: Told[] = []
  const late: (boolean | undefined)[] = []
  const built = await build(
    t,
    app => {
      app.onEvent(TaskDone, async request => {
        late.push(request.event.afterUnanswered)
        await insertEffect(request.tx, { ...request.body, n: 100 })
      })
      app.onUnanswered(Task, async (request, reply) => {
        const { id, key, unanswered } = request.event
        await insertEffect(request.tx, { ...request.body, n: -request.body.n })
        await reply.sendEvent(Note, request.body)
        await behave(told.length)
        told.push({ id, key, unanswered })
      })
    },
    { source: 'shop', contracts: [Task, Note] as unknown as EventContract[] }
  )
  const { app, pool } = built
  const request = async (data = d) => (await app.outbox.transaction(tx => tx.sendEvent(Task, data))).id
  const id = await request()
  const event = async () => (await pool.query('select * from steadfast.event where id = $1', [id])).rows[0]
  const set = (text: string) => pool.query(`update steadfast.event set ${text} where id = $1`, [id])
  const answer = (options: object = {}) => deliver(app, TaskDone, d, { causationId: id, ...options })
  const reactions = async () =>
    (
      await pool.query(
        `select state, type, causation_id, attempts, error->>'message' as message from steadfast.inbox
         where topic = 'steadfast:unanswered' order by arrival`
      )
    ).rows
  const park = (reason: 'REFUSED' | 'ANSWER_HELD' = 'REFUSED', error = 'no credit') =>
    parkEvent(storeOn(pool), { id, from: 'worker', reason, error })
  return { ...built, request, id, told, late, event, set, answer, reactions, park }
}

t.test('a refusal from the log: the handler takes back what was done, once, and says whose effect it is', async t => {
  const { app, id, told, pool } = await shop(t)
  const refused = { eventId: id, consumer: 'worker', status: 409, code: 'NO_CREDIT', message: 'no credit' }
  const signal = deliveryOf(RefusedSignal, refused, { source: 'worker', key: 'k', causationId: id })
  await publish(app, [{ ...signal, topic: SIGNALS }])
  await until(
    async () => {
      await retryOnce(app)
      return told.length > 0
    },
    { what: 'the shop is told' }
  )
  await retryOnce(app)
  matchWhole(t, told, [
    { id, key: 'k', unanswered: { status: 'PARKED', reason: 'REFUSED', error: /refused it: 409 NO_CREDIT no credit/ } }
  ])
  t.ok(Date.now() - Date.parse(told[0]?.unanswered.at ?? '') < 60_000, 'a time')
  t.same(await effects(pool), [-1])
  const { rows } = await pool.query(
    `select causation_id, correlation_id, is_answer from steadfast.event where type = $1`,
    [Note.type]
  )
  t.same(rows, [{ causation_id: id, correlation_id: id, is_answer: false }])
})

t.test('whatever ends it is told of once, with its reason', async t => {
  const ends: [string, string, (at: Awaited<ReturnType<typeof shop>>) => Promise<unknown>, object][] = [
    ['its answer is held here', 'ANSWER_HELD', ({ park }) => park('ANSWER_HELD', 'broken'), { error: 'broken' }],
    [
      'it was sent as often as it may',
      'UNCONFIRMED',
      async ({ pool, set }) => {
        await set(`status = 'PUBLISHED', due = false, count = 6, deadline = now() - interval '1 s'`)
        await sweepEvents(storeOn(pool), { limit: 10, maxResendsOutstanding: 10 })
      },
      { error: 'sent 6 times, and not confirmed by worker' }
    ],
    [
      'the broker refuses it',
      'REFUSED_BY_BROKER',
      ({ pool, id }) => parkUnsendable(storeOn(pool), { id, count: 0, error: 'too large' }),
      { error: 'too large' }
    ]
  ]
  for (const [name, reason, end, more] of ends)
    await t.test(name, async t => {
      const at = await shop(t)
      await end(at)
      await retryOnce(at.app)
      await retryOnce(at.app)
      matchWhole(t, at.told, [{ id: at.id, unanswered: { status: 'PARKED', reason, ...more } }])
      t.same(await effects(at.pool), [-1])
      const resolved = await resolveEvent(storeOn(at.pool), { id: at.id, actor: 'ada', note: 'paid back by hand' })
      t.equal(resolved, true)
      await retryOnce(at.app)
      await retryOnce(at.app)
      t.match(at.told[1]?.unanswered, { status: 'RESOLVED', reason, resolvedBy: 'ada', note: 'paid back by hand' })
      t.equal(at.told.length, 2, 'a person’s decision is another change')
    })
})

t.test('an answer that comes before the handler ran: nothing is taken back', async t => {
  const { app, park, answer, told, late, event, pool, reactions } = await shop(t)
  await park()
  t.match(await answer(), { outcome: 'handled' })
  await retryOnce(app)
  t.same([told, late], [[], [undefined]])
  t.equal((await event()).status, 'CONFIRMED')
  t.same(await effects(pool), [100])
  t.same(await reactions(), [])
})

t.test('an answer that comes between: the handler does not run', async t => {
  const { app, park, answer, told, pool, set, reactions } = await shop(t, n => {
    if (n === 0) throw new Error('not now')
  })
  await park()
  await retryOnce(app)
  matchWhole(t, await reactions(), [{ state: 'RETRY', message: 'not now' }])
  await answer()
  await set(`updated_at = now()`)
  await pool.query(`update steadfast.inbox set due_at = now() where state = 'RETRY'`)
  await retryOnce(app)
  t.same(told, [])
  t.same(await effects(pool), [100])
  matchWhole(t, await reactions(), [{ state: 'DONE' }])
})

t.test('an answer that comes after: its handler sees that all was taken back', async t => {
  const { app, park, answer, late, pool, event } = await shop(t)
  await park()
  await retryOnce(app)
  t.match(await answer(), { outcome: 'handled' })
  t.same(late, [true])
  t.same(await effects(pool), [-1, 100])
  t.equal((await event()).status, 'CONFIRMED')
})

t.test('an answer that comes while the handler runs waits for it, and sees that it has run', async t => {
  let hasStarted = false
  let goOn = () => {}
  const { app, park, answer, late, pool } = await shop(t, () => {
    hasStarted = true
    return new Promise<void>(resolve => {
      goOn = resolve
    })
  })
  await park()
  const ticking = retryOnce(app)
  await until(() => hasStarted, { what: 'the handler runs' })
  const answering = answer()
  const waits = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
  await until(async () => (await pool.query(waits)).rows.length === 1, { what: 'the answer waits' })
  goOn()
  await ticking
  await until(
    async () => {
      await retryOnce(app)
      return (await effects(pool)).length === 2
    },
    { what: 'the answer is handled' }
  )
  t.match(await answering, { outcome: /handled|blocked|skipped|set-aside/ })
  t.equal(late.at(-1), true)
  t.same(await effects(pool), [-1, 100])
})

t.test('a handler that fails is retried and then held; its refusal is none, for nobody would hear of it', async t => {
  for (const [name, failure] of [
    ['500', new Error('the bank is closed')],
    ['409', Object.assign(new Error('the bank is closed'), { statusCode: 409 })]
  ] as const)
    await t.test(name, async t => {
      const { app, park, told, reactions, pool, id } = await shop(t, () => {
        throw failure
      })
      await park()
      for (let n = 0; n < 4; n++) await retryOnce(app)
      t.same(await reactions(), [
        {
          state: 'HELD',
          type: `steadfast.unanswered.${Task.type}`,
          causation_id: id,
          attempts: 3,
          message: 'the bank is closed'
        }
      ])
      t.same([told, await effects(pool)], [[], []])
    })
})

t.test('a process without the handler leaves what is told to one that has it, however long', async t => {
  const { app, park, reactions, pool, told, url, directUrl, drop, setReadOnly } = await shop(t, n => {
    if (n === 0) throw new Error('dies')
  })
  await park()
  await retryOnce(app)
  const web = await build(t, app => void app.onEvent(TaskDone, async () => {}), {
    source: 'shop',
    contracts: [Task] as unknown as EventContract[],
    database: { pool, url, directUrl, drop, setReadOnly },
    inbox: { unknownPatienceMs: 1 }
  })
  await pool.query(`update steadfast.inbox set due_at = now() - interval '1 day' where state = 'RETRY'`)
  for (let n = 0; n < 3; n++) await retryOnce(web.app)
  matchWhole(t, await reactions(), [{ state: 'RETRY', message: 'dies' }])
  t.same(told, [])
})

t.test('data that no number of a handler holds are held, not refused', async t => {
  const { park, app, reactions, set, told } = await shop(t)
  await set(`payload = '{"id":"k","n":9007199254740993}'`)
  await park()
  await retryOnce(app)
  matchWhole(t, await reactions(), [{ state: 'HELD', attempts: 0, message: /9007199254740993/ }])
  t.same(told, [])
})

t.test('nobody can send what tells of a request', async t => {
  const { app, told, id, pool } = await shop(t)
  const forged = { ...Task, type: `steadfast.unanswered.${Task.type}`, topic: TaskDone.topic } as unknown as typeof Task
  const answer = await deliver(app, forged, d, { id: randomUUID(), causationId: id, source: 'shop' })
  t.match(answer, { outcome: 'refused', error: { code: 'SF_INBOX_WRONG_TOPIC' } })
  t.same([told, await effects(pool)], [[], []])
})

t.test('it is for requests of this service only', async t => {
  const declares = (contract: typeof Task | typeof Note) =>
    build(t, app => void app.onUnanswered(contract, async () => {}), {
      source: 'shop',
      contracts: [Note] as unknown as EventContract[]
    })
  await t.rejects(declares(Note), { code: 'SF_INBOX_NO_REQUEST', message: /awaits no answer/ })
  await t.rejects(declares(Task), { code: 'SF_INBOX_NO_REQUEST', message: /does not send it/ })
  await t.rejects(
    build(t, app => void app.onUnanswered(Task, { group: 'other' } as object, async () => {}), {
      source: 'shop',
      contracts: [Task] as unknown as EventContract[]
    }),
    { code: 'SF_OPTIONS_INVALID' }
  )
})

t.test('a replay of the group leaves what was told alone', async t => {
  const { app, park, pool, told } = await shop(t)
  await park()
  await retryOnce(app)
  const replay = await startReplay(storeOn(pool), {
    id: randomUUID(),
    consumer: app.inbox.group,
    from: new Date(Date.now() - 3_600_000),
    actor: 'ada'
  })
  t.equal(replay.total, 0)
  t.equal(told.length, 1)
})
