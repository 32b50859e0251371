import { matchWhole, testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/migrate.ts'
import { sweepEvents, sweepEventsSql } from '../src/sweep-events.ts'
import { checkSchema, planOf, seedMany, somebodyWaits } from './schema-check.ts'
import { seedEvent } from './seed.ts'

const now = new Date('2030-01-01T00:00:00Z')
const late = { status: 'PUBLISHED', due: false, count: 1, deadline: new Date('2029-12-31T23:59:59Z') }
const bounds = { limit: 1000, maxResendsOutstanding: 100 }

t.test('what is late is due again, or parked when its sends are used up; nothing else is touched', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const again = await seedEvent(pool, late)
  const last = await seedEvent(pool, { ...late, count: 5 })
  const used = await seedEvent(pool, { ...late, count: 6 })
  await seedEvent(pool, { ...late, deadline: new Date('2030-01-01T00:00:01Z') })
  await seedEvent(pool, { ...late, deadline: null })
  await seedEvent(pool, { ...late, due: true })
  for (const status of ['NEW', 'CONFIRMED', 'PARKED', 'RESOLVED']) await seedEvent(pool, { ...late, status })
  const before = (await pool.query('select * from steadfast.event order by seq')).rows

  const swept = await sweepEvents(db, bounds, now)
  t.same(swept.resent.toSorted(), [again, last].toSorted())
  t.same(swept.parked, [used])
  const after = (await pool.query('select * from steadfast.event order by seq')).rows
  matchWhole(t, after.slice(0, 3), [
    { id: again, status: 'PUBLISHED', due: true, count: 1 },
    { id: last, status: 'PUBLISHED', due: true, count: 5 },
    {
      id: used,
      status: 'PARKED',
      due: false,
      count: 6,
      park_reason: 'UNCONFIRMED',
      last_error: 'sent 6 times, and not confirmed by deploy'
    }
  ])
  t.same(after.slice(3), before.slice(3))
  t.same(await sweepEvents(db, bounds, now), { resent: [], parked: [] }, 'once')
})

t.test('resends keep to their budget, of which replays and fresh events take nothing', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  for (let n = 0; n < 8; n++)
    await seedEvent(pool, { ...late, deadline: new Date(late.deadline.getTime() - n * 1000), count: n === 0 ? 6 : 1 })
  await seedEvent(pool, { ...late, due: true })
  await seedEvent(pool, { ...late, due: true, replay: true })
  await seedEvent(pool)
  const sweep = () => sweepEvents(db, { limit: 1000, maxResendsOutstanding: 4 }, now)
  const first = await sweep()
  t.equal(first.resent.length, 3)
  t.equal(first.parked.length, 1, 'parking needs no budget')
  t.equal((await sweep()).resent.length, 0)
  await pool.query('update steadfast.event set due = false, count = 2, deadline = null where due')
  t.equal((await sweep()).resent.length, 4)
  t.equal((await sweepEvents(db, { limit: 1000, maxResendsOutstanding: 1 }, now)).resent.length, 0)
})

t.test('a sweep looks at so many, the longest overdue first', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const young = await seedEvent(pool, late)
  const old = await seedEvent(pool, { ...late, deadline: new Date(0) })
  const sweep = () => sweepEvents(storeOn(pool), { ...bounds, limit: 1 }, now)
  t.same((await sweep()).resent, [old])
  t.same((await sweep()).resent, [young])
})

t.test('sweepers at once take every event once', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const seeded: string[] = []
  for (let n = 0; n < 50; n++) seeded.push(await seedEvent(pool, late))
  const ids: string[] = []
  // each sweep takes less than there is, so that several come by
  const sweeper = async () => {
    while (ids.length < seeded.length)
      ids.push(...(await sweepEvents(storeOn(pool), { ...bounds, limit: 7 }, now)).resent)
  }
  await Promise.all(Array.from({ length: 8 }, sweeper))
  t.same(ids.toSorted(), seeded.toSorted())
})

t.test('of two sweeps of a schema at once, one looks, so that they keep to one budget', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  for (let n = 0; n < 10; n++) await seedEvent(pool, late)
  const first = await pool.connect()
  await first.query('begin')
  t.equal((await sweepEvents(storeOn(first), { limit: 5, maxResendsOutstanding: 5 }, now)).resent.length, 5)
  t.same(await sweepEvents(storeOn(pool), { limit: 5, maxResendsOutstanding: 5 }, now), { resent: [], parked: [] })
  await first.query('commit')
  first.release()
  t.same(await sweepEvents(storeOn(pool), { limit: 5, maxResendsOutstanding: 5 }, now), { resent: [], parked: [] })
})

t.test('a confirmation under way is waited for by nobody and overwritten by nobody', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const confirmed = await seedEvent(pool, late)
  const other = await seedEvent(pool, { ...late, count: 6 })
  const answer = await pool.connect()
  await answer.query('begin')
  await answer.query(`update steadfast.event set status = 'CONFIRMED' where id = $1`, [confirmed])
  t.same(await sweepEvents(storeOn(pool), bounds, now), { resent: [], parked: [other] }, 'goes round the locked row')
  await answer.query('commit')
  answer.release()
  t.same(await sweepEvents(storeOn(pool), bounds, now), { resent: [], parked: [] })
})

t.test('the predicate on the updated row keeps what commits between reading and writing', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const id = await seedEvent(pool, late)
  // Without the row lock of the first step the update itself meets the confirmation.
  const unlocked = sweepEventsSql('steadfast').replace('for update skip locked', '')
  t.not(unlocked, sweepEventsSql('steadfast'))
  const answer = await pool.connect()
  await answer.query('begin')
  await answer.query(`update steadfast.event set status = 'CONFIRMED' where id = $1`, [id])
  const sweeping = pool.query(unlocked, [1000, 100, now])
  await somebodyWaits(pool)
  await answer.query('commit')
  answer.release()
  t.same((await sweeping).rows, [])
  t.same((await pool.query('select status, due from steadfast.event')).rows, [{ status: 'CONFIRMED', due: false }])
})

t.test('a large table is swept by its index, in order, without a sort of it', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  await seedMany(pool, 250_000, 100_000)
  const plan = await planOf(pool, sweepEventsSql('steadfast'), [1000, 100, null])
  t.match(plan, 'Index Scan using event_awaiting')
  t.match(plan, /Index (Only )?Scan using event_resending/)
  t.match(plan, 'Index Scan using event_pkey')
  t.notMatch(plan, 'Sort')
  t.notMatch(plan, 'Seq Scan on event')
})

t.test('names its schema', t => checkSchema(t, db => sweepEvents(db, bounds)))
