import { randomUUID } from 'node:crypto'
import { listenTo, matchWhole, testDatabase, until } from '@steadfast/dev-services'
import { defineEvent, type EventContract, InProgressSignal, RefusedSignal } from '@steadfast/events'
import relay from '@steadfast/relay'
import { relayOnce } from '@steadfast/relay/testing'
import t, { type Test } from 'tap'
import { Type } from 'typebox'
import { deliver } from '../src/testing.ts'
import {
  type BuildOptions,
  build,
  events,
  groupOf,
  SIGNALS,
  send,
  TASKS,
  Task,
  TaskDone,
  transports
} from './helper.ts'

// a busy machine takes its time
t.setTimeout(240_000)

const d = { id: 'k', n: 1 }
const Receipted = defineEvent({
  type: 'shop.receipted',
  topic: TASKS,
  key: x => x.id,
  awaits: { from: 'worker', receipt: true },
  data: Type.Object({ id: Type.String(), n: Type.Integer() })
})
const asContracts = (...contracts: unknown[]) => contracts as EventContract[]

for (const { name, skip, transport } of transports(t)) {
  t.test(`two services: refused, in progress, receipt (${name})`, { skip }, async t => {
    const log = await testDatabase(t)
    const both = {
      transport: transport(log.url),
      before: (app: Parameters<NonNullable<BuildOptions['before']>>[0]) =>
        app.register(relay, { schedule: false } as object) as unknown as Promise<void>
    }
    const shop = await build(t, () => {}, { ...both, source: 'shop', contracts: asContracts(Task, Receipted) })
    let verdict = 409
    const worker = await build(
      t,
      app => {
        app.onEvent(Task, async (_, reply) => reply.code(verdict).send({ message: 'no stock', code: 'NO_STOCK' }))
        app.onEvent(Receipted, async () => {})
      },
      both
    )
    const story = async (id: string) =>
      (await shop.pool.query('select * from steadfast.event where id = $1', [id])).rows[0]
    const settle = (id: string, status: string) =>
      until(
        async () => {
          await Promise.all([relayOnce(shop.app), relayOnce(worker.app)])
          const event = await story(id)
          return event.status === status && event
        },
        { what: status }
      )
    const refused = await shop.app.outbox.transaction(tx => tx.sendEvent(Task, d))
    t.match(await settle(refused.id, 'PARKED'), {
      park_reason: 'REFUSED',
      last_error: `${groupOf('worker')} refused it: 409 NO_STOCK no stock`
    })

    verdict = 202
    const accepted = await shop.app.outbox.transaction(tx => tx.sendEvent(Task, { id: 'l', n: 2 }))
    await settle(accepted.id, 'PUBLISHED')
    await shop.pool.query('update steadfast.event set deadline = clock_timestamp() where id = $1', [accepted.id])
    const before = (await story(accepted.id)).deadline
    await until(
      async () => (await worker.pool.query(`select from steadfast.inbox where state = 'DONE'`)).rowCount === 1
    )
    t.ok(await worker.app.inbox.progress(accepted.id))
    await until(async () => {
      await relayOnce(worker.app)
      return (await story(accepted.id)).deadline > before
    })
    t.match(await story(accepted.id), { status: 'PUBLISHED', count: 1 }, 'uncounted')
    t.notOk(await worker.app.inbox.progress(randomUUID()), 'unknown')

    const receipted = await shop.app.outbox.transaction(tx => tx.sendEvent(Receipted, d))
    await settle(receipted.id, 'CONFIRMED')
  })
}

async function sender(t: Test) {
  const built = await build(t, () => {}, { source: 'shop', contracts: asContracts(Task) })
  const { id } = await built.app.outbox.transaction(tx => tx.sendEvent(Task, d))
  await built.pool.query(
    `update steadfast.event set status = 'PUBLISHED', due = false, count = 1, deadline = clock_timestamp()`
  )
  const event = async () => (await built.pool.query('select * from steadfast.event where id = $1', [id])).rows[0]
  const signal = (contract: unknown, data: object, options: object = {}) =>
    deliver(built.app, { ...(contract as object), topic: SIGNALS } as typeof Task, data as never, {
      source: 'worker',
      ...options
    })
  return { ...built, id, event, signal }
}

t.test('a signal counts only from whom the event awaits its answer', async t => {
  const { id, event, signal } = await sender(t)
  const parked = listenTo(t, 'steadfast:store:parked')
  const before = await event()
  const refused = { eventId: id, consumer: 'x', status: 409, message: 'no' }
  t.match(await signal(RefusedSignal, refused, { source: 'impostor' }), { outcome: 'signal' })
  t.match(await signal(InProgressSignal, { eventId: id, consumer: 'x' }, { source: 'impostor' }), { outcome: 'signal' })
  t.same(await event(), before)
  t.same(parked, [])
  t.match(await signal(RefusedSignal, refused), { outcome: 'signal' })
  t.match(await event(), { status: 'PARKED', park_reason: 'REFUSED' })
  t.same(parked, [{ eventIds: [id], reason: 'REFUSED', error: 'x refused it: 409 no' }])
})

t.test('a refusal in words that PostgreSQL cannot hold stops nothing', async t => {
  const { id, event, signal } = await sender(t)
  const refused = { eventId: id, consumer: 'x', status: 409, message: 'no' }
  const raw = Buffer.from(JSON.stringify({ ...refused, code: '\ud800', message: 'a\u0000b' }))
  t.match(await signal(RefusedSignal, refused, { raw }), { outcome: 'signal' })
  t.match(await event(), { status: 'PARKED', last_error: 'x refused it: 409 \ufffd ab' })
})

t.test('a refusal whose words are cut amid a pair of surrogates is told all the same', async t => {
  const message = `${'x'.repeat(1999)}\u{1f69a}`
  const { app, pool } = await build(t, app => {
    app.onEvent(Task, async (_, reply) => reply.code(409).send({ message }))
  })
  t.equal((await deliver(app, Task, d, { replyTo: SIGNALS })).outcome, 'refused')
  t.same(
    (await events(pool)).map(({ type, payload }) => [type, payload.message]),
    [['steadfast.refused', `${'x'.repeat(1999)}\ufffd`]]
  )
})

t.test('a refusal that comes again, after an operator’s resend, parks again', async t => {
  const { id, event, signal, pool } = await sender(t)
  const refused = { eventId: id, consumer: 'x', status: 409, message: 'no' }
  const signalId = randomUUID()
  await signal(RefusedSignal, refused, { id: signalId })
  await pool.query(`update steadfast.event set status = 'PUBLISHED'`)
  await signal(RefusedSignal, refused, { id: signalId })
  t.match(await event(), { status: 'PARKED' })
})

t.test('progress extends the deadline, uncounted, until give_up_at', async t => {
  const { id, event, signal, pool } = await sender(t)
  const before = await event()
  t.match(await signal(InProgressSignal, { eventId: id, consumer: 'x' }), { outcome: 'signal' })
  const extended = await event()
  t.ok(extended.deadline > before.deadline)
  t.match(extended, { due: false, count: 1, status: 'PUBLISHED' })
  await pool.query('update steadfast.event set give_up_at = clock_timestamp()')
  await signal(InProgressSignal, { eventId: id, consumer: 'x' })
  t.same((await event()).deadline, extended.deadline)
})

t.test('a signal that is none is kept as it came, and does nothing', async t => {
  const { id, event, signal, pool } = await sender(t)
  const before = await event()
  const refused = { eventId: id, consumer: 'x', status: 409, message: 'no' }
  const bodies = ['{}', '{"eventId":"x","consumer":"y","status":409,"message":"no"}', 'no json'].map(text =>
    Buffer.from(text)
  )
  for (const raw of bodies) t.equal((await signal(RefusedSignal, refused, { raw })).outcome, 'refused', raw.toString())
  const { rows } = await pool.query('select state, body from steadfast.inbox order by arrival')
  t.same(
    rows,
    bodies.map(body => ({ state: 'REFUSED', body }))
  )
  t.same(await event(), before)
})

t.test('who is asked by nobody sends no signals: other groups, other services’ events', async t => {
  const { app, pool } = await build(t, app => {
    app.onEvent(Task, { group: 'other' }, async (_, reply) => reply.code(409).send())
    app.onEvent(
      { ...Task, type: 'shop.elsewhere', awaits: { from: 'elsewhere' } } as unknown as typeof Task,
      async (_, reply) => reply.code(409).send()
    )
  })
  await deliver(app, Task, d, { group: 'other', replyTo: SIGNALS })
  await deliver(app, { ...Task, type: 'shop.elsewhere' } as unknown as typeof Task, d, { replyTo: SIGNALS })
  t.same(await events(pool), [])
  await deliver(app, Task, d, { group: 'other', replyTo: 'no topic!' })
  t.same(await events(pool), [])
})

t.test('a duplicate of a refused event repeats the refusal, of an unanswered one says that it is at work', async t => {
  const { app, pool } = await build(t, app => {
    app.onEvent(Task, async (request, reply) => reply.code(request.body.n === 1 ? 409 : 202).send())
  })
  const ids = [randomUUID(), randomUUID()]
  for (const [i, id] of ids.entries()) await deliver(app, Task, { id, n: i + 1 }, { id, replyTo: SIGNALS })
  const [refusal] = await events(pool)
  await pool.query(`update steadfast.event set due = false, status = 'PUBLISHED', count = 1`)
  for (const [i, id] of ids.entries())
    t.match(await deliver(app, Task, { id, n: i + 1 }, { id, replyTo: SIGNALS }), { outcome: 'duplicate' })
  matchWhole(t, await events(pool), [
    { id: refusal.id, type: 'steadfast.refused', causation_id: ids[0], due: true, replay: true },
    { type: 'steadfast.in-progress', causation_id: ids[1], due: true, replay: false }
  ])
  void [TaskDone, send]
})
