import { matchWhole, testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { markPublished, markPublishedSql } from '../src/verbs/event/mark-published.ts'
import { checkSchema, planOf, seedMany, somebodyWaits } from './schema-check.ts'
import { idFrom, seedEvent, Told } from './seed.ts'

const now = new Date('2030-01-01T00:00:00Z')

t.test('status moves forward only, and every acknowledged send counts', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const row = async (id: string) => (await pool.query('select * from steadfast.event where id = $1', [id])).rows[0]
  const cases: [string, typeof Told | undefined, string][] = [
    ['NEW', undefined, 'PUBLISHED'],
    ['NEW', Told, 'PUBLISHED'],
    ['PUBLISHED', undefined, 'PUBLISHED'],
    ['CONFIRMED', undefined, 'CONFIRMED'],
    ['PARKED', undefined, 'PARKED'],
    ['PARKED', Told, 'RESOLVED'],
    ['RESOLVED', Told, 'RESOLVED']
  ]
  for (const [status, contract, after] of cases) {
    const id = await seedEvent(pool, { status, count: 3, replay: true }, contract ? { contract } : {})
    t.same(await markPublished(db, [{ id, count: 3 }], now), { marked: [id], locked: [] }, `${status} → ${after}`)
    const awaiting = after === 'PUBLISHED' && contract === undefined
    t.match(await row(id), { status: after, due: false, replay: false, count: 4, published_at: now, last_sent_at: now })
    t.equal((await row(id)).deadline !== null, awaiting, 'a deadline only for what waits')
  }
  const id = await seedEvent(pool, { published_at: new Date(0) })
  await markPublished(db, [{ id, count: 0 }], now)
  t.match(await row(id), { published_at: new Date(0), last_sent_at: now }, 'the first publishing is remembered')
  t.same(await markPublished(db, []), { marked: [], locked: [] })
})

t.test('the deadline grows by its factor with every send, a tenth up or down, and never overflows', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const wait = async (count: number, factor: number) => {
    const ids = await Promise.all(Array.from({ length: 20 }, () => seedEvent(pool, { count, resend_backoff: factor })))
    await markPublished(
      db,
      ids.map(id => ({ id, count })),
      now
    )
    const { rows } = await pool.query('select deadline from steadfast.event where id = any($1)', [ids])
    return rows.map(row => (row.deadline as Date).getTime() - now.getTime())
  }
  for (const [count, factor, expected] of [
    [0, 2, 120_000],
    [1, 2, 240_000],
    [4, 2, 1_920_000],
    [4, 1, 120_000],
    [2, 3, 1_080_000]
  ] as const) {
    const waits = await wait(count, factor)
    t.ok(
      waits.every(ms => ms >= expected * 0.899 && ms <= expected * 1.101),
      `${expected}: ${waits}`
    )
    t.ok(new Set(waits).size > 10, 'apart from each other')
  }
  t.ok((await wait(2_000_000, 1000)).every(ms => ms === 2 ** 31 - 1))
})

t.test('a mark that was overtaken changes nothing', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const [marked, undue, same] = await Promise.all([
    seedEvent(pool, { count: 1 }),
    seedEvent(pool, { due: false }),
    seedEvent(pool)
  ])
  const stale = [marked, undue, idFrom(0), same].map(id => ({ id, count: 0 }))
  t.same(await markPublished(db, stale), { marked: [same], locked: [] })
  matchWhole(t, (await pool.query('select count, due from steadfast.event where id = $1', [marked])).rows, [
    { count: 1, due: true }
  ])
})

t.test('of two relays that mark the same send at once one counts, and neither waits', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const id = await seedEvent(pool)
  const one = await pool.connect()
  await one.query('begin')
  t.same(await markPublished(storeOn(one), [{ id, count: 0 }]), { marked: [id], locked: [] })
  t.same(await markPublished(storeOn(pool), [{ id, count: 0 }]), { marked: [], locked: [id] })
  await one.query('commit')
  one.release()
  t.same(await markPublished(storeOn(pool), [{ id, count: 0 }]), { marked: [], locked: [] }, 'it was overtaken')
  t.same((await pool.query('select count from steadfast.event')).rows, [{ count: 1 }])
})

t.test('rows that somebody holds are passed over, and the others marked', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const ids = await Promise.all(Array.from({ length: 5 }, () => seedEvent(pool)))
  const sent = ids.map(id => ({ id, count: 0 }))
  const [held = '', ...others] = ids
  const holder = await pool.connect()
  await holder.query('begin')
  await holder.query('select from steadfast.event where id = $1 for update', [held])
  const result = await markPublished(storeOn(pool), sent, now)
  t.same({ marked: result.marked.toSorted(), locked: result.locked }, { marked: others.toSorted(), locked: [held] })
  await holder.query('rollback')
  holder.release()
  t.same(await markPublished(storeOn(pool), sent, now), { marked: [held], locked: [] })
  const { rows } = await pool.query('select count, due, status from steadfast.event')
  t.same(rows, Array(5).fill({ count: 1, due: false, status: 'PUBLISHED' }))
})

t.test('a confirmation that overtakes the mark stays', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const id = await seedEvent(pool)
  const answer = await pool.connect()
  await answer.query('begin')
  await answer.query(`update steadfast.event set status = 'CONFIRMED' where id = $1`, [id])
  t.same(await markPublished(storeOn(pool), [{ id, count: 0 }]), { marked: [], locked: [id] })
  await answer.query('commit')
  answer.release()
  t.same(await markPublished(storeOn(pool), [{ id, count: 0 }]), { marked: [id], locked: [] })
  const { rows } = await pool.query('select status, count, due, deadline from steadfast.event')
  t.same(rows, [{ status: 'CONFIRMED', count: 1, due: false, deadline: null }])
})

t.test('the predicate on the updated row keeps what commits between reading and writing', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const id = await seedEvent(pool)
  // Without the row lock of the first step the update itself meets the other mark.
  const unlocked = markPublishedSql('steadfast').replace('for update of e skip locked', '')
  t.not(unlocked, markPublishedSql('steadfast'))
  const other = await pool.connect()
  await other.query('begin')
  await markPublished(storeOn(other), [{ id, count: 0 }])
  const marking = pool.query(unlocked, [[id], [0], null])
  await somebodyWaits(pool)
  await other.query('commit')
  other.release()
  t.same((await marking).rows, [])
  t.same((await pool.query('select count from steadfast.event')).rows, [{ count: 1 }])
})

t.test('a batch of a large table is marked by the primary key', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  await seedMany(pool, 100_000, 50_000)
  const { rows } = await pool.query('select id from steadfast.event where due order by seq limit 1000')
  const plan = await planOf(pool, markPublishedSql('steadfast'), [rows.map(({ id }) => id), rows.map(() => 0), null])
  t.match(plan, 'Index Scan using event_pkey')
  t.notMatch(plan, 'Seq Scan on event')
})

t.test('names its schema', t => checkSchema(t, db => markPublished(db, [{ id: idFrom(0), count: 0 }])))
