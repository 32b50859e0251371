import t from 'tap'
import { getDelivery } from '../src/verbs/inbox/get-delivery.ts'
import { refuseDelivery } from '../src/verbs/inbox/refuse-delivery.ts'
import { body, broken, delivery, store } from './deliveries.ts'
import { seedDelivery } from './seed.ts'

t.test('a fresh delivery, or one that was set aside, is refused; a finished or held one is not', async t => {
  const { db, pool } = await store(t)
  const fresh = delivery()
  t.ok(await refuseDelivery(db, fresh, { body, outcome: 409, error: broken }))
  t.match(await getDelivery(db, 'deploy', fresh.eventId), { ...fresh, state: 'REFUSED', outcome: 409, error: broken })
  t.same((await getDelivery(db, 'deploy', fresh.eventId))?.body, body)
  for (const [state, fit] of [
    ['RETRY', true],
    ['BLOCKED', true],
    ['DONE', false],
    ['HELD', false],
    ['REFUSED', false]
  ] as const) {
    const eventId = await seedDelivery(pool, { state, due_at: new Date() })
    t.equal(await refuseDelivery(db, delivery({ eventId }), { body, outcome: 422, error: broken }), fit, state)
    t.match(
      await getDelivery(db, 'deploy', eventId),
      fit ? { state: 'REFUSED', outcome: 422, dueAt: null } : { state, outcome: 200 }
    )
  }
})

t.test('a verdict on another event under the same id changes nothing', async t => {
  const { db, pool } = await store(t)
  const eventId = await seedDelivery(pool, { state: 'RETRY', due_at: new Date() })
  const before = await getDelivery(db, 'deploy', eventId)
  for (const other of [{ source: 'evil' }, { type: 'evil.asked' }, { topic: 'evil' }])
    t.equal(await refuseDelivery(db, delivery({ eventId, ...other }), { body, outcome: 404, error: broken }), false)
  t.same(await getDelivery(db, 'deploy', eventId), before)
})
