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
