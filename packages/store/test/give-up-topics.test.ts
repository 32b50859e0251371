import { testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { type GivenUp, giveUpTopics } from '../src/verbs/event/give-up-topics.ts'
import { markPublished } from '../src/verbs/event/mark-published.ts'
import { resendEvent } from '../src/verbs/operator/resend-event.ts'
import { checkSchema } from './schema-check.ts'
import { seedEvent } from './seed.ts'

const HOUR = 3_600_000
const now = new Date('2030-01-02T00:00:00Z')
const ago = (hours: number) => new Date(now.getTime() - hours * HOUR)
const query = {
  topics: [{ topic: 'gone', error: 'no such topic' }],
  patienceMs: 24 * HOUR,
  signalPatienceMs: HOUR,
  limit: 100
}
/** Tried so many hours ago, when the broker said that its topic is missing. */
const tried = (hours: number) => ({
  topic: 'gone',
  failing_since: ago(hours),
  topic_unavailable_since: ago(hours),
  updated_at: ago(99)
})
/** Due for so many hours, and never tried. */
const behind = (hours: number) => ({ topic: 'gone', updated_at: ago(hours) })

const ids = (given: GivenUp[]) => given.flatMap(({ parked, dropped }) => [...parked, ...dropped])

async function store(t: Parameters<typeof testDatabase>[0]) {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const row = async (id: string) => (await pool.query('select * from steadfast.event where id = $1', [id])).rows[0]
  return { pool, db, row }
}

t.test('what was tried counts from the answer, what waits behind it from when it became due', async t => {
  const { pool, db, row } = await store(t)
  const old = [
    await seedEvent(pool, tried(24)),
    await seedEvent(pool, { ...tried(2), ...behind(30) }),
    await seedEvent(pool, behind(24))
  ]
  const young = [
    await seedEvent(pool, { ...tried(23), ...behind(23) }),
    await seedEvent(pool, behind(23)),
    await seedEvent(pool, { ...behind(99), topic: 'fine' }),
    await seedEvent(pool, { ...behind(99), due: false })
  ]
  const [given] = await giveUpTopics(db, query, now)
  t.same(
    { ...given, parked: given?.parked.sort() },
    { topic: 'gone', since: ago(24), parked: [...old].sort(), dropped: [], more: false }
  )
  for (const id of old) {
    const { status, due, park_reason, last_error, failing_since, topic_unavailable_since, updated_at, count } =
      await row(id)
    t.same(
      { status, due, park_reason, last_error, failing_since, topic_unavailable_since, updated_at, count },
      {
        status: 'PARKED',
        due: false,
        park_reason: 'TOPIC_UNAVAILABLE',
        last_error: 'no such topic',
        failing_since: null,
        topic_unavailable_since: null,
        updated_at: now,
        count: 0
      }
    )
  }
  for (const id of young) t.equal((await row(id)).status, 'NEW')
  t.equal(await resendEvent(db, { id: old[0] ?? '', actor: 'ann' }), 'resent')
  t.same(ids(await giveUpTopics(db, query, now)), [], 'a person who sends it again has the whole patience anew')
  t.equal((await row(old[0] ?? '')).due, true)
})

t.test('an outage before it counts for nothing, and nothing is known without an answer about the topic', async t => {
  const { pool, db } = await store(t)
  await seedEvent(pool, behind(99))
  t.same(ids(await giveUpTopics(db, query, now)), [], 'nothing was tried')
  await seedEvent(pool, { topic: 'gone', failing_since: ago(99), updated_at: ago(99) })
  t.same(ids(await giveUpTopics(db, query, now)), [], 'nobody said that the topic is missing')
  await seedEvent(pool, tried(23))
  t.same(ids(await giveUpTopics(db, query, now)), [], 'it has been missing for less than that')
  t.equal(ids(await giveUpTopics(db, query, new Date(now.getTime() + HOUR))).length, 3)
})

t.test('signals are dropped after their own time; what was past waiting only stops being due', async t => {
  const { pool, db, row } = await store(t)
  const signal = { type: 'steadfast.refused', awaits_from: null }
  const cases: [object, string, string | null][] = [
    [{ ...tried(2), ...signal }, 'RESOLVED', null],
    [{ ...behind(1), ...signal }, 'RESOLVED', null],
    [{ ...behind(1), ...signal, status: 'PUBLISHED', count: 1, replay: true }, 'PUBLISHED', null],
    [{ ...behind(99), status: 'PUBLISHED', count: 1, replay: true, awaits_from: null }, 'PUBLISHED', null]
  ]
  const ids3: string[] = []
  for (const [columns] of cases) ids3.push(await seedEvent(pool, columns as Record<string, unknown>))
  const [given] = await giveUpTopics(db, query, now)
  t.same([given?.dropped.sort(), given?.parked], [ids3.slice(0, 3).sort(), []])
  for (const [i, [, status, reason]] of cases.slice(0, 3).entries()) {
    const { status: is, due, replay, park_reason, last_error } = await row(ids3[i] ?? '')
    t.same([is, due, replay, park_reason, last_error], [status, false, false, reason, 'no such topic'])
  }
  t.equal((await row(ids3[3] ?? '')).due, true, 'an answer is no signal')
  const states = { PUBLISHED: 'PARKED', CONFIRMED: 'CONFIRMED', RESOLVED: 'RESOLVED', PARKED: 'PARKED' }
  for (const [status, after] of Object.entries(states)) {
    const park_reason = status === 'PARKED' ? 'REFUSED' : null
    const id = await seedEvent(pool, { ...tried(30), status, park_reason, count: 1, replay: status === 'CONFIRMED' })
    const [given] = await giveUpTopics(db, query, now)
    t.equal(given?.parked.includes(id), after === 'PARKED')
    const { status: is, due, park_reason: reason } = await row(id)
    t.same([is, due, reason], [after, false, status === 'PUBLISHED' ? 'TOPIC_UNAVAILABLE' : park_reason], status)
  }
})

t.test('a bounded number, by seq; each topic by its own time', async t => {
  const { pool, db } = await store(t)
  const made = [await seedEvent(pool, tried(30))]
  for (let n = 0; n < 4; n++) made.push(await seedEvent(pool, behind(30)))
  await seedEvent(pool, { ...tried(20), topic: 'young' })
  await seedEvent(pool, { ...behind(90), topic: 'young' })
  const topics = [...query.topics, { topic: 'young', error: 'forbidden' }]
  let since: Date | undefined
  const given = async () => {
    const asked = {
      ...query,
      topics: topics.map(topic => (topic.topic === 'gone' ? { ...topic, since } : topic)),
      limit: 2
    }
    const found = await giveUpTopics(db, asked, now)
    const gone = found.find(({ topic }) => topic === 'gone')
    since = gone?.since ?? undefined
    return [...ids(found).sort(), gone?.more]
  }
  t.same(await given(), [...made.slice(0, 2).sort(), true])
  t.same(await given(), [...made.slice(2, 4).sort(), true])
  t.same(await given(), [made[4], false], 'the row that was tried is gone, and what it said is remembered')
  t.same(await given(), [false])
})

t.test('a send by another relay that is marked first wins', async t => {
  const { pool, db, row } = await store(t)
  const id = await seedEvent(pool, tried(30))
  const other = await pool.connect()
  await other.query('begin')
  await markPublished(storeOn(other), [{ id, count: 0 }])
  t.same(ids(await giveUpTopics(db, query, now)), [], 'it is in the hands of another')
  await other.query('rollback')
  await other.query('begin')
  const parking = giveUpTopics(storeOn(other), query, now)
  t.equal(ids(await parking).length, 1)
  t.same(await markPublished(db, [{ id, count: 0 }]), { marked: [], locked: [id] })
  await other.query('commit')
  other.release()
  t.same(await markPublished(db, [{ id, count: 0 }]), { marked: [], locked: [] })
  t.equal((await row(id)).status, 'PARKED')
})

t.test('names its schema', t => checkSchema(t, db => giveUpTopics(db, query)))
