import { randomUUID } from 'node:crypto'
import { matchWhole } from '@steadfast/dev-services'
import t from 'tap'
import { deliver } from '../src/testing.ts'
import { build, effects, events, inboxRow, insertEffect, Task, TaskDone } from './helper.ts'

t.test('effect, inbox row and answer commit together; a duplicate gets its answer again', async t => {
  let runs = 0
  const { app, pool } = await build(t, app => {
    app.onEvent(Task, async (request, reply) => {
      runs++
      t.type(request.body.n, 'number')
      await insertEffect(request.tx, request.body)
      await reply.sendEvent(TaskDone, request.body)
      return reply.code(202).send()
    })
  })
  const id = randomUUID()
  t.match(await deliver(app, Task, { id: 'a', n: 1 }, { id }), { outcome: 'handled', status: 202 })
  t.match(await inboxRow(pool, id), { state: 'DONE', outcome: 202, body: null })
  const [answer] = await events(pool, TaskDone.type)
  t.match(answer, { causation_id: id, is_answer: true, due: true, key: 'a' })
  await pool.query(`update steadfast.event set status = 'PUBLISHED', due = false`)
  t.match(await deliver(app, Task, { id: 'a', n: 1 }, { id, attempt: 2 }), { outcome: 'duplicate' })
  t.equal(runs, 1)
  t.same(await effects(pool), [1])
  matchWhole(t, await events(pool), [{ id: answer.id, due: true, replay: true, status: 'PUBLISHED' }])
})

t.test('an answer that comes later goes on with the trace and the correlation of its request', async t => {
  const { app, pool } = await build(t, app => void app.onEvent(Task, async () => {}))
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  const id = randomUUID()
  const headers = { traceparent, tracestate: 'a=1', own: 'x' }
  await deliver(app, Task, { id: 'k', n: 1 }, { id, headers, correlationId: 'c' })
  const own = '00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-01'
  for (const headers of [undefined, { mine: 'y' }, { traceparent: own }])
    await app.outbox.transaction(tx =>
      tx.sendEvent(TaskDone, { id: 'k', n: 1 }, { inReplyTo: id, ...(headers && { headers }) })
    )
  t.same(
    (await events(pool)).map(({ headers, correlation_id }) => ({ headers, correlation_id })),
    [
      { headers: { traceparent, tracestate: 'a=1' }, correlation_id: 'c' },
      { headers: { traceparent, tracestate: 'a=1', mine: 'y' }, correlation_id: 'c' },
      { headers: { traceparent: own }, correlation_id: 'c' }
    ]
  )
})
