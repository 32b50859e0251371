import { matchWhole, testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { parkUnsendable } from '../src/verbs/event/park-unsendable.ts'
import { checkSchema, somebodyWaits } from './schema-check.ts'
import { idFrom, seedEvent } from './seed.ts'

t.test('what waited is parked with the reason; what is past that only stops being due', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  for (const status of ['NEW', 'PUBLISHED', 'CONFIRMED', 'RESOLVED', 'PARKED']) {
    const id = await seedEvent(pool, {
      status,
      count: 1,
      replay: true,
      park_reason: status === 'PARKED' ? 'REFUSED' : null
    })
    const parks = status === 'NEW' || status === 'PUBLISHED'
    const became = await parkUnsendable(db, { id, count: 1, error: 'too\u0000 large' })
    t.equal(became, parks ? 'parked' : 'ended')
    matchWhole(t, (await pool.query('select * from steadfast.event where id = $1', [id])).rows, [
      {
        status: parks ? 'PARKED' : status,
        park_reason: parks ? 'REFUSED_BY_BROKER' : status === 'PARKED' ? 'REFUSED' : null,
        due: false,
        replay: false,
        count: 1,
        last_error: 'too large'
      }
    ])
  }
})

t.test('only as it was read', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const sent = await seedEvent(pool, { count: 1 })
  const undue = await seedEvent(pool, { due: false })
  for (const id of [sent, undue, idFrom(0)])
    t.equal(await parkUnsendable(db, { id, count: 0, error: 'no' }), 'unchanged')
  t.same((await pool.query(`select * from steadfast.event where status = 'PARKED'`)).rows, [])
})

t.test('a send by another relay that is marked first wins', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const id = await seedEvent(pool)
  const other = await pool.connect()
  await other.query('begin')
  await other.query(`update steadfast.event set due = false, count = 1, status = 'PUBLISHED' where id = $1`, [id])
  const parking = parkUnsendable(storeOn(pool), { id, count: 0, error: 'no' })
  await somebodyWaits(pool)
  await other.query('commit')
  other.release()
  t.equal(await parking, 'unchanged')
  t.same((await pool.query('select status from steadfast.event')).rows, [{ status: 'PUBLISHED' }])
})

t.test('names its schema', t => checkSchema(t, db => parkUnsendable(db, { id: idFrom(0), count: 0, error: '' })))
