import { randomUUID } from 'node:crypto'
import { until } from '@steadfast/dev-services'
import { listReplays, startReplay, storeOn } from '@steadfast/store/internal'
import pg from 'pg'
import t from 'tap'
import { deliver } from '../src/testing.ts'
import { build, groupOf, insertEffect, send, Task } from './helper.ts'

// As a host may do for the whole process: times and JSON stay text.
for (const type of [1114, 1184, 114]) pg.types.setTypeParser(type, text => text)

t.test('a host that leaves times and JSON as text: a replay and a retry work as ever', async t => {
  let isBroken = true
  const handled: unknown[] = []
  const { app, pool } = await build(t, app => {
    app.onEvent(Task, async request => {
      if (request.body.id === 'broken' && isBroken) throw new Error('broken')
      handled.push([request.body.id, request.event.replay, request.event.deliveredAt instanceof Date])
      if (!request.event.replay) await insertEffect(request.tx, request.body)
    })
  })
  await send(app, Task, { id: 'k', n: 1 })
  await until(async () => handled.length === 1 && (await app.inbox.lag()) === 0n)
  t.match(await deliver(app, Task, { id: 'broken', n: 1 }), { outcome: 'set-aside' })
  isBroken = false
  t.equal(await app.inbox.tick(), 1)
  t.match(app.inbox.health(), { ready: true })
  await pool.query(`delete from steadfast.inbox where key = 'broken'`)
  const id = randomUUID()
  await startReplay(storeOn(pool), { id, consumer: groupOf('worker'), from: new Date(0), actor: 'me' })
  await until(async () => {
    await app.inbox.tick()
    return (await listReplays(storeOn(pool), { id }, { limit: 1 }))[0]?.state === 'ended'
  })
  t.same(handled, [
    ['k', false, true],
    ['broken', false, true],
    ['k', true, true]
  ])
})
