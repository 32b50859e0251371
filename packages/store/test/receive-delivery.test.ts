import t from 'tap'
import { storeOn } from '../src/db.ts'
import { finishDelivery } from '../src/verbs/inbox/finish-delivery.ts'
import { getDelivery } from '../src/verbs/inbox/get-delivery.ts'
import { receiveDelivery } from '../src/verbs/inbox/receive-delivery.ts'
import { delivery, store } from './deliveries.ts'
import { seedDelivery } from './seed.ts'

t.test('a fresh one is taken, a known one is not; another consumer has its own', async t => {
  const { db } = await store(t)
  const row = delivery({ causationId: delivery().eventId })
  t.ok(await receiveDelivery(db, row, 100))
  t.notOk(await receiveDelivery(db, row, 100))
  t.ok(await receiveDelivery(db, { ...row, consumer: 'other' }, 100))
  t.match(await getDelivery(db, 'deploy', row.eventId), {
    ...row,
    state: 'DONE',
    outcome: 200,
    attempts: 0,
    body: null,
    error: null
  })
  await finishDelivery(db, 'deploy', row.eventId, 202)
  t.equal((await getDelivery(db, 'deploy', row.eventId))?.outcome, 202)
  t.equal((await getDelivery(db, 'other', row.eventId))?.outcome, 200)
  t.equal(await getDelivery(db, 'nobody', row.eventId), undefined)
})

t.test('behind unfinished ones of its consumer, topic and key it is not taken', async t => {
  const { db, pool } = await store(t)
  for (const state of ['DONE', 'REFUSED', 'RETRY', 'BLOCKED', 'UNKNOWN', 'HELD']) {
    await pool.query('delete from steadfast.inbox')
    await seedDelivery(pool, { state })
    const isFree = state === 'DONE' || state === 'REFUSED'
    t.equal(await receiveDelivery(db, delivery(), 100), isFree, state)
    t.ok(await receiveDelivery(db, delivery({ key: 'l' }), 100), 'another key')
    t.ok(await receiveDelivery(db, delivery({ topic: 'told' }), 100), 'the same key of another topic')
    t.ok(await receiveDelivery(db, delivery({ consumer: 'other' }), 100), 'another consumer')
  }
})

t.test('a second handler waits on the unique key, at most lockTimeoutMs', async t => {
  const { pool } = await store(t)
  const [first, second] = [await pool.connect(), await pool.connect()]
  t.teardown(() => [first, second].map(c => c.release(true)))
  const row = delivery()
  await first.query('begin')
  t.ok(await receiveDelivery(storeOn(first), row, 100))
  await second.query('begin')
  await t.rejects(receiveDelivery(storeOn(second), row, 20), { code: '55P03' })
  await second.query('rollback; begin')
  const waiting = receiveDelivery(storeOn(second), row, 10_000)
  await first.query('rollback')
  t.ok(await waiting, 'the first has rolled back')
})
