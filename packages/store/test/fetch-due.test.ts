import { matchWhole, testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { fetchDue, fetchDueSql, fetchDueValues } from '../src/fetch-due.ts'
import { migrate } from '../src/migrate.ts'
import { checkSchema, planOf, seedMany } from './schema-check.ts'
import { seedEvent, Told } from './seed.ts'

const lanes = Array.from({ length: 64 }, (_, n) => n)
const query = { lanes, limit: 1000, maxBytes: 1e6 }

t.test('what is due comes by seq, whole, and nothing else', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const first = await seedEvent(pool, { headers: '{"traceparent":"x"}', status: 'PARKED', count: 2, replay: true })
  await seedEvent(pool, { due: false })
  const second = await seedEvent(pool, { key: 'other' }, { agoMs: 5000, contract: Told })
  const found = await fetchDue(db, query)
  matchWhole(t, found, [
    {
      id: first,
      seq: '1',
      source: 'market',
      type: 'market.asked',
      topic: 'asked',
      key: 'k',
      dataVersion: null,
      payload: '{"key":"k"}',
      headers: { traceparent: 'x' },
      replyTo: 'market.signals',
      causationId: null,
      correlationId: first,
      count: 2,
      replay: true,
      status: 'PARKED',
      awaitsFrom: 'deploy'
    },
    { id: second, seq: '3', headers: {}, replyTo: null, count: 0, replay: false, status: 'NEW', awaitsFrom: null }
  ])
  const age = Date.now() - (found[1]?.createdAt.getTime() ?? 0)
  t.ok(age >= 5000 && age < 25_000, 'with the time of its statement')
})

t.test('by lane, and without what is in flight or backed off', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  for (const key of ['a', 'b', 'c', 'a']) await seedEvent(pool, { key })
  await pool.query(`update steadfast.event set lane = case key when 'a' then 1 when 'b' then 2 else 3 end`)
  const seqs = async (more: object) => (await fetchDue(db, { ...query, ...more })).map(({ seq }) => seq)
  t.same(await seqs({}), ['1', '2', '3', '4'])
  t.same(await seqs({ lanes: [1, 3] }), ['1', '3', '4'])
  t.same(await seqs({ lanes: [] }), [])
  t.same(await seqs({ excludeSeqs: ['1', '3'] }), ['2', '4'])
  t.same(await seqs({ excludeKeys: ['a', `{"'`] }), ['2', '3'])
  t.same(await seqs({ limit: 2 }), ['1', '2'])
})

t.test('a batch keeps to its bytes, but an event larger than that comes alone', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  for (const size of [100, 200, 5000, 10]) await seedEvent(pool, {}, { text: 'é'.repeat(size / 2) })
  const seqs = async (maxBytes: number, excludeSeqs: string[] = []) =>
    (await fetchDue(db, { ...query, maxBytes, excludeSeqs })).map(({ seq }) => seq)
  t.same(await seqs(1e6), ['1', '2', '3', '4'])
  t.same(await seqs(400), ['1', '2'])
  t.same(await seqs(10), ['1'])
  t.same(await seqs(400, ['1', '2']), ['3'])
  t.same(await seqs(400, ['1', '2', '3']), ['4'])
})

t.test('a lower seq that commits later is found', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const slow = await pool.connect()
  await slow.query('begin')
  await seedEvent(slow as never, {})
  const quick = await seedEvent(pool, {})
  const db = storeOn(pool)
  matchWhole(t, await fetchDue(db, query), [{ id: quick, seq: '2' }])
  await slow.query('commit')
  slow.release()
  matchWhole(t, await fetchDue(db, { ...query, excludeSeqs: ['2'] }), [{ seq: '1' }])
  await pool.query(`update steadfast.event set due = false, status = 'PUBLISHED', count = 1 where id = $1`, [quick])
  matchWhole(t, await fetchDue(db, query), [{ seq: '1' }], 'also when what came after it is sent already')
})

t.test('a backlog of 200,000 is read from its index, in order, without a sort', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  await seedMany(pool, 250_000, 200_000)
  const excludeSeqs = Array.from({ length: 2000 }, (_, n) => String(50_001 + n))
  for (const lane of [lanes, [3, 7, 11]]) {
    const values = fetchDueValues({ ...query, lanes: lane, excludeSeqs, excludeKeys: ['k1', 'k2'] })
    const plan = await planOf(pool, fetchDueSql('steadfast'), values)
    t.match(plan, 'Index Scan using event_due')
    t.notMatch(plan, 'Sort')
  }
})

t.test('names its schema', t => checkSchema(t, db => fetchDue(db, query)))
