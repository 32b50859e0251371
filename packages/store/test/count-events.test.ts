import { matchWhole, testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { countEvents } from '../src/verbs/operator/count-events.ts'
import { seedDelivery, seedEvent } from './seed.ts'

t.test('counts', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  matchWhole(t, await countEvents(db), {
    events: { NEW: 0, PARKED: 0 },
    due: 0,
    oldestDueMs: null,
    overdue: 0,
    parked: [],
    inbox: {}
  })
  await seedEvent(pool, {}, { agoMs: 5000 })
  await seedEvent(pool, { status: 'PUBLISHED', due: false, deadline: new Date(0) })
  await seedEvent(pool, { status: 'PUBLISHED', due: false, deadline: new Date(Date.now() + 60_000) })
  await seedEvent(pool, { status: 'PARKED', due: true, park_reason: 'REFUSED' })
  await seedDelivery(pool)
  await seedDelivery(pool, { consumer: 'second', state: 'HELD' })
  const counts = await countEvents(db)
  matchWhole(t, counts, {
    events: { NEW: 1, PUBLISHED: 2, CONFIRMED: 0, PARKED: 1, RESOLVED: 0 },
    due: 2,
    overdue: 1,
    parked: [{ reason: 'REFUSED', count: 1 }],
    inbox: { deploy: { DONE: 1, HELD: 0 }, second: { DONE: 0, HELD: 1 } }
  })
  t.ok((counts.oldestDueMs ?? 0) >= 5000)
})
