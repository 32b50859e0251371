import { randomUUID } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { until } from '@steadfast/dev-services'
import { decodeEnvelope, type EventContract, encodeEvent } from '@steadfast/events'
import { fetchDue, listReplays, startReplay, storeOn } from '@steadfast/store/internal'
import type { FastifyInstance } from 'fastify'
import type pg from 'pg'
import t from 'tap'
import { deliver } from '../src/testing.ts'
import { build, events, groupOf, send, Task, TaskDone } from './helper.ts'

/** Asks for a replay of everything, and lets it run to its end. */
async function replay(app: FastifyInstance, pool: pg.Pool, answers: 'none' | 'stored' | 'corrected'): Promise<void> {
  const id = randomUUID()
  await startReplay(storeOn(pool), { id, consumer: groupOf('worker'), from: new Date(0), answers, actor: 'me' })
  await until(async () => {
    await app.inbox.tick()
    return (await listReplays(storeOn(pool), { id }, { limit: 1 }))[0]?.state === 'ended'
  })
}

const answersOf = async (pool: pg.Pool) =>
  (await events(pool, TaskDone.type)).map(({ payload, due, supersedes, superseded_by }) => ({
    n: payload.n,
    due,
    supersedes,
    by: superseded_by
  }))

t.test(
  'a corrected handler answers anew, in the place of its old answer, and a duplicate is told the new one',
  async t => {
    let isFixed = false
    const { app, pool } = await build(t, app => {
      app.onEvent(Task, async (request, reply) => {
        await reply.sendEvent(TaskDone, { ...request.body, n: isFixed ? 2 : 1 })
      })
    })
    const request = await send(app, Task, { id: 'k', n: 1 })
    await until(async () => (await app.inbox.lag()) === 0n)
    await pool.query(`update steadfast.event set status = 'PUBLISHED', due = false, count = 1`)
    isFixed = true
    await replay(app, pool, 'corrected')
    const [old, corrected] = await events(pool, TaskDone.type)
    t.same(await answersOf(pool), [
      { n: 1, due: false, supersedes: null, by: corrected?.id },
      { n: 2, due: true, supersedes: old?.id, by: null }
    ])
    const { events: due } = await fetchDue(storeOn(pool), { lanes: [corrected?.lane], limit: 9, maxBytes: 1e6 })
    const [sent] = due
    t.ok(sent)
    if (sent)
      t.match(decodeEnvelope(encodeEvent(sent) as never), {
        id: corrected?.id,
        supersedes: old?.id,
        causationId: request
      })
    await pool.query(`update steadfast.event set status = 'PUBLISHED', due = false, count = 1`)
    t.match(await deliver(app, Task, { id: 'k', n: 1 }, { id: request }), { outcome: 'duplicate' })
    t.same(
      (await answersOf(pool)).map(({ n, due }) => [n, due]),
      [
        [1, false],
        [2, true]
      ]
    )
  }
)

for (const [answers, want] of [
  ['none', 1],
  ['stored', 1],
  ['corrected', 2]
] as const) {
  t.test(`a worker answers later, after a replay with answers ${answers}`, async t => {
    const { app, pool } = await build(t, app => {
      app.onEvent(Task, async (_, reply) => reply.code(202).send())
    })
    const answerLate = (inReplyTo: string, n: number) =>
      app.outbox.transaction(tx => tx.sendEvent(TaskDone, { id: 'k', n }, { inReplyTo }))
    const request = await send(app, Task, { id: 'k', n: 1 })
    await until(async () => (await app.inbox.lag()) === 0n)
    const first = await answerLate(request, 1)
    await replay(app, pool, answers)
    const second = await answerLate(request, 2)
    t.equal((await events(pool, TaskDone.type)).length, want)
    t.equal(second.id === first.id, answers !== 'corrected', 'what is held back keeps the id of what is stored')
    const newest = (await events(pool, TaskDone.type)).at(-1)
    t.equal(newest?.id, second.id)
    t.equal(newest?.supersedes, answers === 'corrected' ? first.id : null)
  })
}

t.test("the asker's handler runs for an answer that supersedes the confirming one, and for no other", async t => {
  const seen: unknown[] = []
  const { app, pool } = await build(
    t,
    app => {
      app.onEvent(TaskDone, async request => void seen.push([request.body.n, request.event.supersedes]))
    },
    { source: 'shop', contracts: [Task as unknown as EventContract] }
  )
  const alarms: unknown[] = []
  const listener = (message: unknown) => alarms.push((message as { code: string }).code)
  subscribe('steadfast:inbox:alarm', listener)
  t.teardown(() => unsubscribe('steadfast:inbox:alarm', listener))
  const { id: causationId } = await app.outbox.transaction(tx => tx.sendEvent(Task, { id: 'k', n: 1 }))
  const [old, next] = [randomUUID(), randomUUID()]
  const answer = (id: string, n: number, supersedes?: string) =>
    deliver(app, TaskDone, { id: 'k', n }, { id, causationId, ...(supersedes && { supersedes }) })
  t.match(await answer(old, 1), { outcome: 'handled' })
  t.match(await answer(randomUUID(), 9, randomUUID()), { outcome: 'refused' })
  t.match(await answer(randomUUID(), 9), { outcome: 'refused' })
  t.match(await answer(next, 2, old), { outcome: 'handled' })
  t.same(seen, [
    [1, undefined],
    [2, old]
  ])
  t.same(alarms, ['SF_INBOX_CONFLICTING_ANSWER', 'SF_INBOX_CONFLICTING_ANSWER'])
  t.same((await pool.query('select status, confirmed_by from steadfast.event where id = $1', [causationId])).rows, [
    { status: 'CONFIRMED', confirmed_by: next }
  ])
  t.same((await pool.query(`select event_id, details from steadfast.audit where action = 'supersede-answer'`)).rows, [
    { event_id: causationId, details: { answerId: next, supersedes: old } }
  ])
})
