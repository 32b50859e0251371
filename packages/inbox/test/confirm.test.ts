import { randomUUID } from 'node:crypto'
import { listenTo, matchWhole } from '@steadfast/dev-services'
import { defineEvent, type EventContract } from '@steadfast/events'
import { type ParkedMessage, reprocessDelivery, storeOn } from '@steadfast/store/internal'
import t, { type Test } from 'tap'
import { Type } from 'typebox'
import type { AlarmMessage } from '../src/channels.ts'
import { deliver, retryOnce } from '../src/testing.ts'
import { build, effects, groupOf, inboxRow, insertEffect, RESULTS, Task, TaskDone } from './helper.ts'

const d = { id: 'k', n: 1 }

/** The asker, with one event sent and not yet marked as published. */
async function asker(t: Test, behave: (n: number) => void = () => {}) {
  const built = await build(
    t,
    app => {
      app.onEvent(TaskDone, { retry: { quickRetries: 0, delaysMs: [0] } }, async request => {
        await insertEffect(request.tx, request.body)
        behave(request.body.n)
      })
    },
    { source: 'shop', contracts: [Task as unknown as EventContract] }
  )
  const { app, pool } = built
  const { id } = await app.outbox.transaction(tx => tx.sendEvent(Task, d))
  const alarms = listenTo<AlarmMessage>(t, 'steadfast:inbox:alarm')
  const parked = listenTo<ParkedMessage>(t, 'steadfast:store:parked')
  const event = async () => (await pool.query('select * from steadfast.event where id = $1', [id])).rows[0]
  const set = (text: string) => pool.query(`update steadfast.event set ${text} where id = $1`, [id])
  const audits = async () =>
    (await pool.query('select actor, action, event_id, details from steadfast.audit order by id')).rows
  const answer = (options: object = {}) => deliver(app, TaskDone, d, { causationId: id, ...options })
  return { ...built, id, alarms, parked, event, set, audits, answer }
}

t.test('the answer confirms the request in its handler’s transaction', async t => {
  const { answer, event, set } = await asker(t)
  await set(`status = 'PUBLISHED', due = false, count = 1`)
  const id = randomUUID()
  t.match(await answer({ id }), { outcome: 'handled' })
  t.match(await event(), { status: 'CONFIRMED', confirmed_by: id, due: false, count: 1 })
})

t.test('an answer that overtakes the mark confirms, and the mark is still due', async t => {
  const { answer, event } = await asker(t)
  t.match(await answer(), { outcome: 'handled' })
  t.match(await event(), { status: 'CONFIRMED', due: true, count: 0 })
})

t.test('a late answer un-parks, audited', async t => {
  const { answer, event, set, audits, id, alarms } = await asker(t)
  await set(`status = 'PARKED', park_reason = 'UNCONFIRMED', due = false, count = 6`)
  t.match(await answer(), { outcome: 'handled' })
  t.match(await event(), { status: 'CONFIRMED', park_reason: null })
  matchWhole(t, await audits(), [
    { actor: 'steadfast', action: 'unpark', event_id: id, details: { parkReason: 'UNCONFIRMED' } }
  ])
  t.same(alarms, [])
})

t.test('a second, different answer raises an alarm and changes nothing', async t => {
  const { answer, event, pool, alarms, id } = await asker(t)
  await answer()
  const before = await event()
  const second = randomUUID()
  t.match(await answer({ id: second }), { outcome: 'refused' })
  t.same(await event(), before)
  t.same(await effects(pool), [1], 'its handler did not run')
  matchWhole(t, alarms, [{ code: 'SF_INBOX_CONFLICTING_ANSWER', eventId: second, message: new RegExp(id) }])
  t.match(await inboxRow(pool, second), { state: 'REFUSED', error: { code: 'SF_INBOX_CONFLICTING_ANSWER' } })
})

t.test('an answer to a resolved event is recorded, with an alarm', async t => {
  const { answer, event, set, pool, alarms } = await asker(t)
  await set(`status = 'RESOLVED', due = false`)
  t.match(await answer(), { outcome: 'refused', error: { code: 'SF_INBOX_LATE_ANSWER' } })
  t.match(await event(), { status: 'RESOLVED' })
  matchWhole(t, alarms, [{ code: 'SF_INBOX_LATE_ANSWER' }])
  t.same(await effects(pool), [])
})

t.test('an answer to an event that nobody knows is recorded, with an alarm', async t => {
  const { answer, alarms, pool } = await asker(t)
  t.match(await answer({ causationId: randomUUID() }), {
    outcome: 'refused',
    error: { code: 'SF_INBOX_ORPHAN_ANSWER' }
  })
  matchWhole(t, alarms, [{ code: 'SF_INBOX_ORPHAN_ANSWER' }])
  t.same(await effects(pool), [])
})

t.test('one that answers nothing is an ordinary event', async t => {
  const { answer, event, pool, alarms } = await asker(t)
  t.match(await answer({ causationId: undefined }), { outcome: 'handled' })
  t.match(await answer({ causationId: 'no-uuid' }), { outcome: 'handled' })
  t.match(await event(), { status: 'NEW' })
  t.equal((await effects(pool)).length, 2)
  t.same(alarms, [])
})

t.test(
  'an answer that the request does not await from its source is refused, with an alarm, before its handler',
  async t => {
    const { answer, event, pool, alarms, set } = await asker(t)
    await set(`awaits_from = 'another worker'`)
    t.match(await answer(), { outcome: 'refused', error: { code: 'SF_INBOX_FOREIGN_SOURCE' } })
    t.equal((await event()).status, 'NEW')
    t.same(await effects(pool), [])
    t.same(
      alarms.map(({ code }) => code),
      ['SF_INBOX_FOREIGN_SOURCE']
    )
  }
)

t.test('a refused answer parks its request, with a link; again when it comes again', async t => {
  const {
    answer,
    event,
    set,
    pool,
    parked,
    id: request
  } = await asker(t, () => {
    throw Object.assign(new Error('order is cancelled'), { statusCode: 409 })
  })
  await set(`status = 'PUBLISHED', due = false, count = 1`)
  const id = randomUUID()
  t.match(await answer({ id }), { outcome: 'refused', status: 409 })
  t.match(await event(), {
    status: 'PARKED',
    park_reason: 'ANSWER_REFUSED',
    last_error: new RegExp(`${id}.*order is cancelled`),
    confirmed_by: id
  })
  t.same(await effects(pool), [])
  await set(`status = 'PUBLISHED', park_reason = null`)
  t.match(await answer({ id }), { outcome: 'duplicate' })
  t.match(await event(), { status: 'PARKED', park_reason: 'ANSWER_REFUSED' })
  const told = { eventIds: [request], reason: 'ANSWER_REFUSED', error: /order is cancelled/ }
  matchWhole(t, parked, [told, told])
})

t.test('a held answer parks its request; reprocessed, it confirms it', async t => {
  let broken = true
  const {
    app,
    answer,
    event,
    set,
    pool,
    audits,
    parked,
    id: request
  } = await asker(t, () => {
    if (broken) throw new Error('broken')
  })
  await set(`status = 'PUBLISHED', due = false, count = 1`)
  const id = randomUUID()
  t.match(await answer({ id }), { outcome: 'set-aside' })
  t.match(await event(), { status: 'PUBLISHED' })
  await retryOnce(app)
  t.match(await event(), { status: 'PARKED', park_reason: 'ANSWER_HELD', last_error: new RegExp(id) })
  matchWhole(t, parked, [{ eventIds: [request], reason: 'ANSWER_HELD', error: new RegExp(id) }])
  broken = false
  await reprocessDelivery(storeOn(pool), { consumer: groupOf('shop'), eventId: id, actor: 'me' })
  t.equal(await retryOnce(app), 1)
  t.match(await event(), { status: 'CONFIRMED', confirmed_by: id })
  matchWhole(t, await audits(), [{ action: 'reprocess' }, { action: 'unpark' }])
})

t.test('another group of the service confirms nothing', async t => {
  const { app, event, id } = await (async () => {
    const built = await build(t, app => app.onEvent(TaskDone, { group: 'projection' }, async () => {}), {
      source: 'shop',
      contracts: [Task as unknown as EventContract]
    })
    const { id } = await built.app.outbox.transaction(tx => tx.sendEvent(Task, d))
    return { ...built, id, event: async () => (await built.pool.query('select * from steadfast.event')).rows[0] }
  })()
  t.match(await deliver(app, TaskDone, d, { causationId: id, group: 'projection' }), { outcome: 'handled' })
  t.match(await event(), { status: 'NEW' })
})

t.test('two different answers at once: one confirms, the other is the second', async t => {
  const Other = defineEvent({
    type: 'worker.task.failed',
    topic: RESULTS,
    key: x => x.id,
    answers: Task,
    data: Type.Object({ id: Type.String(), n: Type.Integer() })
  })
  let meet = 2
  let go = () => {}
  const both = new Promise<void>(resolve => {
    go = resolve
  })
  const { app, pool } = await build(
    t,
    app => {
      for (const contract of [TaskDone, Other] as (typeof TaskDone)[])
        app.onEvent(contract, async request => {
          await insertEffect(request.tx, request.body)
          if (--meet === 0) go()
          await both
        })
    },
    { source: 'shop', contracts: [Task as unknown as EventContract] }
  )
  const { id } = await app.outbox.transaction(tx => tx.sendEvent(Task, d))
  const results = await Promise.all([
    deliver(app, TaskDone, d, { causationId: id, key: 'a' }),
    deliver(app, Other, { id: 'k', n: 2 }, { causationId: id, key: 'b' })
  ])
  t.same(results.map(r => r.outcome).sort(), ['handled', 'refused'])
  t.equal((await effects(pool)).length, 1)
})
