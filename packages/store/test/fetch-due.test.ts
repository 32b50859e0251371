import { testDatabase } from '@steadfast/dev-services'
import type pg from 'pg'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { type DueQuery, fetchDue, fetchDueSql, fetchDueValues } from '../src/verbs/event/fetch-due.ts'
import { checkSchema, seedMany } from './schema-check.ts'
import { seedEvent, Told } from './seed.ts'

const lanes = Array.from({ length: 64 }, (_, n) => n)
const query = { lanes, limit: 1000, maxBytes: 1e6 }

t.test('what is due comes by seq, whole, and nothing else', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const first = await seedEvent(pool, { headers: '{"traceparent":"x"}', status: 'PARKED', count: 2 })
  await seedEvent(pool, { due: false })
  const second = await seedEvent(pool, { key: 'other' }, { agoMs: 5000, contract: Told })
  const { events, more } = await fetchDue(db, query)
  t.equal(more, false)
  t.equal(events.length, 2)
  t.same(events[0], {
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
    createdAt: events[0]?.createdAt,
    count: 2,
    replay: false,
    status: 'PARKED',
    awaitsFrom: 'deploy',
    supersedes: null
  })
  t.match(events[1], { id: second, seq: '3', headers: {}, replyTo: null, count: 0, status: 'NEW', awaitsFrom: null })
  const age = Date.now() - (events[1]?.createdAt.getTime() ?? 0)
  t.ok(age >= 5000 && age < 25_000, 'with the time of its statement')
})

t.test('stored answers that go out again come behind what is fresh, and only where there is room', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  for (let n = 0; n < 3; n++) await seedEvent(pool, { status: 'PUBLISHED', count: 1, replay: true })
  for (let n = 0; n < 2; n++) await seedEvent(pool, { key: `f${n}` })
  const read = async (more: object) => {
    const { events, more: again } = await fetchDue(db, { ...query, ...more })
    return [...events.map(({ seq, replay }) => (replay ? `${seq} again` : seq)), ...(again ? ['more'] : [])]
  }
  t.same(await read({}), ['4', '5'], 'none unless asked for')
  t.same(await read({ replays: 2 }), ['4', '5', '1 again', '2 again', 'more'])
  t.same(await read({ replays: 9 }), ['4', '5', '1 again', '2 again', '3 again'])
  t.same(await read({ replays: 9, limit: 2 }), ['4', '5', 'more'], 'no room')
  t.same(await read({ replays: 9, limit: 2, excludeSeqs: ['4'] }), ['5', '1 again', '2 again', '3 again'])
})

t.test('topics are left out, chosen, and share a look evenly', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const topics = ['a', 'a', 'a', 'a', 'b', 'c', 'a', 'b']
  for (const topic of topics) await seedEvent(pool, { topic })
  const read = async (more: object) => {
    const { events, more: again } = await fetchDue(db, { ...query, ...more })
    return [...events.map(({ seq, topic }) => `${topic}${seq}`), ...(again ? ['more'] : [])].join(' ')
  }
  t.equal(await read({}), 'a1 a2 a3 a4 b5 c6 a7 b8')
  t.equal(await read({ excludeTopics: ['a'] }), 'b5 c6 b8')
  t.equal(await read({ excludeTopics: ['a', 'b', 'c'] }), '')
  t.equal(await read({ onlyTopics: ['c', 'b', 'nowhere'] }), 'b5 c6 b8')
  t.equal(await read({ onlyTopics: ['a', 'b'], excludeTopics: ['a'] }), 'b5 b8')
  t.equal(await read({ limit: 3, spread: true }), 'a1 b5 c6 more')
  t.equal(await read({ limit: 6, spread: true }), 'a1 a2 b5 c6 b8 more')
  t.equal(await read({ limit: 3 }), 'a1 a2 a3 more')
  t.equal(await read({ limit: 1, excludeTopics: ['a'], spread: true }), 'b5 more')
  t.equal(await read({ excludeKeys: [{ topic: 'a', key: 'k' }] }), 'b5 c6 b8', 'a key is backed off in its topic alone')
})

t.test('by lane, and without what is in flight or backed off', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  for (const key of ['a', 'b', 'c', 'a']) await seedEvent(pool, { key })
  await pool.query(`update steadfast.event set lane = case key when 'a' then 1 when 'b' then 2 else 3 end`)
  const seqs = async (more: object) => (await fetchDue(db, { ...query, ...more })).events.map(({ seq }) => seq)
  t.same(await seqs({}), ['1', '2', '3', '4'])
  t.same(await seqs({ lanes: [1, 3] }), ['1', '3', '4'])
  t.same(await seqs({ lanes: [] }), [])
  t.same(await seqs({ excludeSeqs: ['1', '3'] }), ['2', '4'])
  t.same(
    await seqs({
      excludeKeys: [
        { topic: 'asked', key: 'a' },
        { topic: 'told', key: 'b' },
        { topic: 'asked', key: `{"'` }
      ]
    }),
    ['2', '3']
  )
  t.same(await seqs({ limit: 2 }), ['1', '2'])
})

t.test('a batch keeps to its bytes, but an event larger than that comes alone', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  for (const size of [100, 200, 5000, 10]) await seedEvent(pool, {}, { text: 'é'.repeat(size / 2) })
  const seqs = async (maxBytes: number, excludeSeqs: string[] = []) =>
    (await fetchDue(db, { ...query, maxBytes, excludeSeqs })).events.map(({ seq }) => seq)
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
  t.same(
    (await fetchDue(db, query)).events.map(({ id }) => id),
    [quick]
  )
  await slow.query('commit')
  slow.release()
  t.same(
    (await fetchDue(db, { ...query, excludeSeqs: ['2'] })).events.map(({ seq }) => seq),
    ['1']
  )
  await pool.query(`update steadfast.event set due = false, status = 'PUBLISHED', count = 1 where id = $1`, [quick])
  t.same(
    (await fetchDue(db, query)).events.map(({ seq }) => seq),
    ['1'],
    'also when what came after it is sent already'
  )
})

/** What a fetch does: nodes of its plan with the rows that each gave, in all its loops. */
async function stepsOf(pool: pg.Pool, more: Partial<DueQuery>): Promise<{ plan: string; rows: number }> {
  const values = fetchDueValues({ ...query, replays: 100, ...more })
  const explain = `explain (analyze, costs off, timing off, summary off) ${fetchDueSql('steadfast')}`
  const { rows } = await pool.query(explain, values)
  const plan = rows.map(row => row['QUERY PLAN']).join('\n')
  const [read, removed] = [/actual rows=([\d.]+) loops=(\d+)/g, /Rows Removed by [\w ]+: (\d+)/g].map(pattern =>
    [...plan.matchAll(pattern)].map(([, rows, loops]) => Number(rows) * Number(loops ?? 1))
  )
  return { plan, rows: Math.max(...(read ?? []), ...(removed ?? [])) }
}

/** Events that wait for a topic, each with a key of its own. */
const seedStuck = (pool: pg.Pool, count: number, topic: string) =>
  pool.query(
    `insert into steadfast.event (id, lane, source, type, topic, key, payload, headers, max_sends, correlation_id)
     select gen_random_uuid(), n % 64, 'market', 'market.told', $2, 's' || n, '{}', '{}', 6, n from generate_series(1, $1::int) n`,
    [count, topic]
  )

t.test('a backlog of 200,000 is read from its index, a batch of it', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  await seedMany(pool, 250_000, 200_000)
  const excludeSeqs = Array.from({ length: 2000 }, (_, n) => String(50_001 + n))
  const excludeKeys = ['k1', 'k2'].map(key => ({ topic: 'asked', key }))
  for (const lane of [lanes, [3, 7, 11]]) {
    const { plan, rows } = await stepsOf(pool, { lanes: lane, excludeSeqs, excludeKeys })
    t.match(plan, 'Index Scan using event_due')
    t.notMatch(plan, /Seq Scan|Bitmap/)
    t.ok(rows < 40_000, `${rows} rows at most, of all lanes\n${plan}`)
  }
})

for (const known of ['nothing', 'an empty table', 'everything']) {
  t.test(`100,000 events that wait for a topic are not even looked at; the planner knows ${known}`, async t => {
    const { pool } = await testDatabase(t)
    await migrate(pool)
    await pool.query('alter table steadfast.event set (autovacuum_enabled = false)')
    if (known === 'an empty table') await pool.query('analyze steadfast.event')
    // One sorts before the topic of the others and one behind it.
    await seedStuck(pool, 50_000, 'aaa')
    await seedStuck(pool, 50_000, 'zzz')
    await seedEvent(pool)
    await seedEvent(pool, { replay: true })
    if (known === 'everything') await pool.query('analyze steadfast.event')
    const { plan, rows } = await stepsOf(pool, { excludeTopics: ['aaa', 'zzz'] })
    t.ok(rows <= 10, `${rows} rows at most\n${plan}`)
    t.notMatch(plan, /Seq Scan|Bitmap/)
    const probe = await stepsOf(pool, { onlyTopics: ['aaa'], limit: 50, replays: 50, spread: true })
    t.ok(probe.rows <= 100, `${probe.rows} rows at most\n${probe.plan}`)
  })
}

t.test('names its schema', t => checkSchema(t, db => fetchDue(db, query)))
