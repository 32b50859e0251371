import { randomUUID } from 'node:crypto'
import { matchWhole } from '@steadfast/dev-services'
import type { EventContract } from '@steadfast/events'
import t from 'tap'
import { deliver } from '../src/testing.ts'
import { build, effects, events, insertEffect, Note, SIGNALS, Task, TaskDone } from './helper.ts'

const DUPLICATES = 100
const EFFECT = { id: 'k', n: 1 }

t.test('a storm of duplicates: the stored answer goes out again, and nothing else that was sent', async t => {
  const { app, pool } = await build(
    t,
    app => {
      app.onEvent(Task, async (request, reply) => {
        await insertEffect(request.tx, request.body)
        await reply.sendEvent(TaskDone, request.body)
        // What comes of it downstream: others act on it.
        await reply.sendEvent(Note, request.body)
      })
    },
    { contracts: [TaskDone, Note] as unknown as EventContract[] }
  )
  const id = randomUUID()
  const again = () => deliver(app, Task, EFFECT, { id, replyTo: SIGNALS, attempt: 2 })
  t.match(await again(), { outcome: 'handled' })
  const before = await events(pool)
  matchWhole(
    t,
    before.map(({ type }) => type),
    [TaskDone.type, Note.type]
  )
  await pool.query(`update steadfast.event set status = 'PUBLISHED', due = false, count = 1`)

  const outcomes = await Promise.all(Array.from({ length: DUPLICATES }, again))
  t.same(new Set(outcomes.map(({ outcome }) => outcome)), new Set(['duplicate']))
  t.same(await effects(pool), [1])
  matchWhole(
    t,
    await events(pool),
    [
      { id: before[0].id, due: true, replay: true, count: 1 },
      { id: before[1].id, due: false, replay: false, count: 1 }
    ],
    'one answer, due once, under its id; no event is new'
  )
  t.equal((await events(pool)).length, 2)
})
