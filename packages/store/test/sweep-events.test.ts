import { matchWhole, testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { sweepEvents, sweepEventsSql } from '../src/verbs/event/sweep-events.ts'
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
  await seedEvent(pool, { ...late, due: true, updated_at: now })
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

t.test('resends keep to their budget, of which replays, fresh and confirmed events take nothing', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  for (let n = 0; n < 8; n++)
    await seedEvent(pool, { ...late, deadline: new Date(late.deadline.getTime() - n * 1000), count: n === 0 ? 6 : 1 })
  await seedEvent(pool, { ...late, due: true, updated_at: now })
  await seedEvent(pool, { ...late, due: true, replay: true })
  for (let n = 0; n < 10; n++) await seedEvent(pool, { ...late, due: true, status: 'CONFIRMED' })
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

t.test('what cannot be sent to one topic keeps nothing of another from being resent or parked', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  await seedMany(pool, 3000, 0)
  await pool.query(
    `update steadfast.event set topic = 'gone', status = 'PUBLISHED', awaits_from = 'deploy', max_sends = 6, count = 1, due = seq <= 100,
       deadline = $1::timestamptz - seq * interval '1 s'`,
    [new Date(0)]
  )
  const live = await seedEvent(pool, late)
  const used = await seedEvent(pool, { ...late, count: 6 })
  t.same(await sweepEvents(storeOn(pool), bounds, now), { resent: [live], parked: [used] })
  await pool.query(`update steadfast.event set due = false where topic = 'gone'`)
  const next = await seedEvent(pool, late)
  const few = await sweepEvents(storeOn(pool), { limit: 10, maxResendsOutstanding: 100 }, now)
  t.equal(few.resent.length, 10)
  t.ok(few.resent.includes(next), 'the first of each topic come first')
})

t.test('what is due again and not sent for as long as its sender waits in all is parked, and says so', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const hours = (n: number) => new Date(now.getTime() + n * 3_600_000)
  const stuck = {
    ...late,
    due: true,
    created_at: hours(-30),
    give_up_at: hours(-6),
    updated_at: hours(-24.1),
    last_error: 'no such topic'
  }
  const id = await seedEvent(pool, stuck)
  const kept = [
    await seedEvent(pool, { ...stuck, updated_at: hours(-23.9) }),
    await seedEvent(pool, { ...stuck, give_up_at: hours(1) }),
    await seedEvent(pool, { ...stuck, count: 0, status: 'NEW' }),
    await seedEvent(pool, { ...stuck, status: 'CONFIRMED' }),
    await seedEvent(pool, { ...stuck, status: 'PARKED' })
  ]
  t.same(await sweepEvents(db, bounds, now), { resent: [], parked: [id] })
  const { rows } = await pool.query(
    'select status, due, count, park_reason, last_error from steadfast.event where id = $1',
    [id]
  )
  t.same(rows, [
    {
      status: 'PARKED',
      due: false,
      count: 1,
      park_reason: 'UNCONFIRMED',
      last_error:
        'sent 1 times, and not confirmed by deploy; due again since 2029-12-30T23:54:00Z, and could not be sent: no such topic'
    }
  ])
  t.equal((await pool.query('select from steadfast.event where due')).rowCount, kept.length)
})

t.test('the budget is read once no other sweep can spend it', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  for (let n = 0; n < 8; n++) await seedEvent(pool, late)
  const client = await pool.connect()
  t.teardown(() => client.release())
  const tx = storeOn(client)
  let statements = 0
  const db: typeof tx = {
    schema: tx.schema,
    async rows<Row>(text: string, values?: unknown[]) {
      const rows = await tx.rows<Row>(text, values)
      // Another sweep that held the lock until just now, as it commits.
      if (statements++ === 0)
        await pool.query(
          'update steadfast.event set due = true, updated_at = $1 where seq in (select seq from steadfast.event limit 4)',
          [now]
        )
      return rows
    }
  }
  await client.query('begin')
  t.same(await sweepEvents(db, { limit: 1000, maxResendsOutstanding: 4 }, now), { resent: [], parked: [] })
  const meanwhile = await sweepEvents(storeOn(pool), { limit: 1000, maxResendsOutstanding: 100 }, now)
  t.same(meanwhile, { resent: [], parked: [] }, 'one at a time')
  await client.query('commit')
  t.equal((await pool.query('select from steadfast.event where due')).rowCount, 4)
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
  const unlocked = sweepEventsSql('steadfast').replaceAll('for update skip locked', '')
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

t.test('a large table is swept by its indexes, in order, without a sort of it', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  await seedMany(pool, 250_000, 100_000)
  const plan = await planOf(pool, sweepEventsSql('steadfast'), [1000, 100, null])
  t.match(plan, /Index (Only )?Scan using event_late/)
  t.match(plan, /Index Scan (using|on) event_used_up/)
  t.match(plan, /Index (Only )?Scan using event_resending/)
  t.match(plan, 'Index Scan using event_pkey')
  t.notMatch(plan, 'Seq Scan on event')
  t.notMatch(plan, 'Scan using event_awaiting')
})

t.test('names its schema', t => checkSchema(t, db => sweepEvents(db, bounds)))
