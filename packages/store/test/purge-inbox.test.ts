import { testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { purgeInbox } from '../src/verbs/inbox/purge-inbox.ts'
import { checkSchema } from './schema-check.ts'
import { seedDelivery } from './seed.ts'

const DAY = 86_400_000

t.test('only what is finished and old goes', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  for (const state of ['DONE', 'REFUSED', 'RETRY', 'BLOCKED', 'HELD'])
    for (const age of [10 * DAY, 0]) await seedDelivery(pool, { state, updated_at: new Date(Date.now() - age) })
  t.match(await purgeInbox(storeOn(pool), { olderThanMs: 7 * DAY, limit: 100 }), { purged: 2, next: null })
  const { rows } = await pool.query(`select state, count(*)::int from steadfast.inbox group by 1 order by 1`)
  t.same(rows, [
    { state: 'BLOCKED', count: 2 },
    { state: 'DONE', count: 1 },
    { state: 'HELD', count: 2 },
    { state: 'REFUSED', count: 1 },
    { state: 'RETRY', count: 2 }
  ])
})

t.test('batches are bounded and go on behind what must stay, from consumer to consumer', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  for (const consumer of ['a', 'b'])
    for (let n = 0; n < 10; n++)
      await seedDelivery(pool, { consumer, state: n < 5 ? 'HELD' : 'DONE', updated_at: new Date(0) })
  const db = storeOn(pool)
  let total = 0
  let after: Awaited<ReturnType<typeof purgeInbox>>['next'] = null
  for (let n = 0; n < 5; n++) {
    const { purged, next } = await purgeInbox(db, { olderThanMs: DAY, limit: 4, after })
    t.ok(purged <= 4)
    total += purged
    after = next
    t.equal(next === null, false)
  }
  t.match(await purgeInbox(db, { olderThanMs: DAY, limit: 4, after }), { purged: 0, next: null })
  t.equal(total, 10)
})

t.test('judged by the given now; a row that somebody holds is left', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const held = await seedDelivery(pool)
  await seedDelivery(pool)
  const holder = await pool.connect()
  await holder.query('begin')
  await holder.query('select from steadfast.inbox where event_id = $1 for update', [held])
  t.match(await purgeInbox(db, { olderThanMs: DAY, limit: 9 }), { purged: 0 })
  t.match(await purgeInbox(db, { olderThanMs: DAY, limit: 9 }, new Date(Date.now() + 2 * DAY)), { purged: 1 })
  await holder.query('rollback')
  holder.release()
})

t.test('names its schema', t => checkSchema(t, db => purgeInbox(db, { olderThanMs: 1, limit: 1 })))
