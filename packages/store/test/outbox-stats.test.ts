import { testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { outboxStats } from '../src/verbs/event/outbox-stats.ts'
import { checkSchema } from './schema-check.ts'
import { seedEvent } from './seed.ts'

t.test('counts what waits, and how long the first has been waiting', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  t.match(await outboxStats(db), { due: 0, oldestDueMs: 0, parked: 0, awaiting: 0, deadTuples: Number })
  const now = new Date('2030-01-01T00:00:30Z')
  await seedEvent(pool, { updated_at: new Date('2030-01-01T00:00:00Z') })
  await seedEvent(pool, { updated_at: new Date('2030-01-01T00:00:10Z') })
  await seedEvent(pool, { status: 'PARKED', due: false })
  await seedEvent(pool, { status: 'PUBLISHED', due: false, deadline: now })
  await seedEvent(pool, { status: 'PUBLISHED', due: false })
  t.match(await outboxStats(db, now), { due: 2, oldestDueMs: 30_000, parked: 1, awaiting: 1 })
})

t.test('names its schema', t => checkSchema(t, db => outboxStats(db)))
