import t from 'tap'
import { claimRetry } from '../src/verbs/inbox/claim-retry.ts'
import { findRunnable } from '../src/verbs/inbox/find-runnable.ts'
import { getDelivery } from '../src/verbs/inbox/get-delivery.ts'
import { setAside } from '../src/verbs/inbox/set-aside.ts'
import { body, broken, delivery, store } from './deliveries.ts'

t.test('stored with its body and when it is due; a known one stays as it is', async t => {
  const { db } = await store(t)
  const row = delivery()
  const now = new Date('2030-01-01T00:00:00Z')
  t.ok(await setAside(db, row, { state: 'RETRY', body, attempts: 1, dueInMs: 1500, error: broken }, now))
  t.match(await getDelivery(db, 'deploy', row.eventId), {
    state: 'RETRY',
    attempts: 1,
    error: broken,
    dueAt: new Date('2030-01-01T00:00:01.500Z')
  })
  t.same((await getDelivery(db, 'deploy', row.eventId))?.body, body)
  t.notOk(await setAside(db, row, { state: 'BLOCKED', body }))
  t.equal((await getDelivery(db, 'deploy', row.eventId))?.state, 'RETRY')
  const behind = delivery()
  t.ok(await setAside(db, behind, { state: 'BLOCKED', body }))
  t.match(await getDelivery(db, 'deploy', behind.eventId), { state: 'BLOCKED', dueAt: null, error: null, attempts: 0 })
})

t.test('runnable: the first of each key, when it is due', async t => {
  const { db, pool } = await store(t)
  const [a1, a2, b1, c1] = [
    delivery({ key: 'a' }),
    delivery({ key: 'a' }),
    delivery({ key: 'b' }),
    delivery({ key: 'c' })
  ]
  const now = new Date()
  const later = new Date(now.getTime() + 10_000)
  await setAside(db, a1, { state: 'RETRY', body, attempts: 1, dueInMs: 5_000, error: broken }, now)
  await setAside(db, a2, { state: 'BLOCKED', body })
  await setAside(db, b1, { state: 'RETRY', body, attempts: 1, dueInMs: 0, error: broken }, now)
  await setAside(db, c1, { state: 'RETRY', body, attempts: 1, dueInMs: 0, error: broken }, now)
  await pool.query(`update steadfast.inbox set state = 'HELD' where event_id = $1`, [c1.eventId])
  const runnable = async (at: Date) => (await findRunnable(db, 'deploy', { limit: 10 }, at)).map(r => r.eventId)
  t.same(await runnable(now), [b1.eventId])
  t.same(await runnable(later), [a1.eventId, b1.eventId])
  t.equal((await findRunnable(db, 'deploy', { limit: 1 }, later)).length, 1)
  t.same(await findRunnable(db, 'other', { limit: 10 }, later), [])
  const claim = (eventId: string, at: Date) => claimRetry(db, { consumer: 'deploy', eventId, lockTimeoutMs: 100 }, at)
  t.notOk(await claim(a1.eventId, now), 'not due')
  t.notOk(await claim(a2.eventId, later), 'not the first')
  t.notOk(await claim(c1.eventId, later), 'held')
  t.ok(await claim(a1.eventId, later))
  t.match(await getDelivery(db, 'deploy', a1.eventId), { state: 'DONE', body: null, error: null, dueAt: null })
  t.notOk(await claim(a1.eventId, later), 'done')
  t.same(await runnable(now), [a2.eventId, b1.eventId], 'blocked no longer')
  t.ok(await claim(a2.eventId, now))
})
