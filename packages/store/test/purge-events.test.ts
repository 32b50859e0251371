import { testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { type Db, storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { purgeEvents } from '../src/verbs/event/purge-events.ts'
import { checkSchema } from './schema-check.ts'
import { Answered, idFrom, seedEvent, Told } from './seed.ts'

const DAY = 86_400_000

async function purgeAll(db: Db, query: { olderThanMs: number; answersOlderThanMs?: number; limit: number }) {
  let purged = 0
  let batches = 0
  for (let after: string | null = null; ; ) {
    const batch: { purged: number; next: string | null } = await purgeEvents(db, { ...query, after })
    purged += batch.purged
    batches++
    after = batch.next
    if (after === null) return { purged, batches }
  }
}

t.test('only what is finished and old goes', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const old = { updated_at: new Date(Date.now() - 9 * DAY), due: false }
  const ago = { agoMs: 10 * DAY }
  const goes = [
    await seedEvent(pool, { ...old, status: 'CONFIRMED' }, ago),
    await seedEvent(pool, { ...old, status: 'RESOLVED' }, ago),
    await seedEvent(pool, { ...old, status: 'PUBLISHED' }, { ...ago, contract: Told }),
    await seedEvent(pool, { ...old, status: 'PUBLISHED' }, { ...ago, contract: Answered, inReplyTo: idFrom(0) })
  ]
  const stays = [
    await seedEvent(pool, { ...old, status: 'NEW', due: true }, ago),
    await seedEvent(pool, { ...old, status: 'PUBLISHED' }, ago),
    await seedEvent(pool, { ...old, status: 'PARKED' }, ago),
    await seedEvent(pool, { ...old, status: 'CONFIRMED', due: true }, ago),
    await seedEvent(pool, { ...old, status: 'CONFIRMED', updated_at: new Date() }, ago),
    await seedEvent(pool, { ...old, status: 'CONFIRMED' }, { agoMs: DAY })
  ]
  t.match(await purgeEvents(storeOn(pool), { olderThanMs: 7 * DAY, limit: 100 }), { purged: 4, next: null })
  const { rows } = await pool.query('select id from steadfast.event')
  t.same(rows.map(({ id }) => id).toSorted(), stays.toSorted())
  t.equal(goes.length, 4)
})

t.test('answers have an age of their own', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  for (const days of [10, 20]) {
    const columns = { status: 'PUBLISHED', due: false, updated_at: new Date(Date.now() - days * DAY) }
    await seedEvent(pool, columns, { agoMs: days * DAY, contract: Answered, inReplyTo: idFrom(0) })
    await seedEvent(pool, columns, { agoMs: days * DAY, contract: Told })
  }
  const query = { olderThanMs: 7 * DAY, answersOlderThanMs: 15 * DAY, limit: 100 }
  t.match(await purgeEvents(storeOn(pool), query), { purged: 3 })
  t.same((await pool.query('select is_answer from steadfast.event')).rows, [{ is_answer: true }])
})

t.test('batches are bounded and go on behind what must stay', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  for (let n = 0; n < 30; n++) {
    const status = n < 15 ? 'PARKED' : 'CONFIRMED'
    await seedEvent(pool, { status, due: false, updated_at: new Date(0) }, { agoMs: 10 * DAY - n })
  }
  const db = storeOn(pool)
  const first = await purgeEvents(db, { olderThanMs: DAY, limit: 10 })
  t.match(first, { purged: 0, next: String })
  t.match(await purgeEvents(db, { olderThanMs: DAY, limit: 10, after: first.next }), { purged: 5, next: String })
  t.match(await purgeAll(db, { olderThanMs: DAY, limit: 4 }), { purged: 10 })
  t.equal((await pool.query('select from steadfast.event')).rowCount, 15)
})

t.test('a row that somebody holds is left, not waited for', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const columns = { status: 'CONFIRMED', due: false, updated_at: new Date(0) }
  const held = await seedEvent(pool, columns, { agoMs: 10 * DAY })
  await seedEvent(pool, columns, { agoMs: 10 * DAY })
  const holder = await pool.connect()
  await holder.query('begin')
  await holder.query('select from steadfast.event where id = $1 for update', [held])
  t.match(await purgeEvents(storeOn(pool), { olderThanMs: DAY, limit: 10 }), { purged: 1 })
  await holder.query('rollback')
  holder.release()
})

t.test('judged by the given now', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  await seedEvent(pool, { status: 'CONFIRMED', due: false })
  const db = storeOn(pool)
  t.match(await purgeEvents(db, { olderThanMs: DAY, limit: 10 }), { purged: 0 })
  t.match(await purgeEvents(db, { olderThanMs: DAY, limit: 10 }, new Date(Date.now() + 2 * DAY)), { purged: 1 })
})

t.test('names its schema', t => checkSchema(t, db => purgeEvents(db, { olderThanMs: 1, limit: 1 })))
