import t from 'tap'
import { getDelivery } from '../src/verbs/inbox/get-delivery.ts'
import { holdDelivery } from '../src/verbs/inbox/hold-delivery.ts'
import { retryLater } from '../src/verbs/inbox/retry-later.ts'
import { broken, store } from './deliveries.ts'
import { seedDelivery } from './seed.ts'

t.test('what waits for a retry can wait on, or be held; what is finished or held cannot', async t => {
  const { db, pool } = await store(t)
  const now = new Date('2030-01-01T00:00:00Z')
  for (const [state, fit] of [
    ['RETRY', true],
    ['BLOCKED', true],
    ['DONE', false],
    ['HELD', false],
    ['REFUSED', false]
  ] as const) {
    const eventId = await seedDelivery(pool, { state })
    const id = { consumer: 'deploy', eventId }
    t.equal(await retryLater(db, { ...id, attempts: 3, dueInMs: 500, error: broken }, now), fit, state)
    if (fit)
      t.match(await getDelivery(db, 'deploy', eventId), {
        state: 'RETRY',
        attempts: 3,
        error: broken,
        dueAt: new Date('2030-01-01T00:00:00.500Z')
      })
    t.equal(await holdDelivery(db, { ...id, attempts: 4, outcome: 502, error: broken }), fit, state)
    t.match(
      await getDelivery(db, 'deploy', eventId),
      fit ? { state: 'HELD', attempts: 4, outcome: 502, dueAt: null } : { state }
    )
    if (fit) t.ok((await getDelivery(db, 'deploy', eventId))?.body, 'with its body')
  }
})
