import { listenTo, until } from '@steadfast/dev-services'
import type { Outgoing, PublishResult } from '@steadfast/events'
import type { ParkedMessage } from '@steadfast/store/internal'
import type pg from 'pg'
import t from 'tap'
import { batchFetched, topicChanged } from '../src/channels.ts'
import { relayOnce } from '../src/testing.ts'
import { database, event, failed, recordingTransport, server, unavailable } from './helper.ts'

// a busy machine takes its time
t.setTimeout(300_000)

const GONE = 'market.gone'
const many = (length: number, members: object = {}) => Array.from({ length }, () => event(members))

/** A broker that answers so about some topics, and takes everything else. */
function brokerWithout(isGone: (topic: string) => boolean, answer: () => PublishResult = unavailable) {
  const broker = recordingTransport()
  const state = Object.assign(broker, { isGone, tried: [] as Outgoing[] })
  broker.answer = async batch =>
    batch.map(message => {
      if (!state.isGone(message.topic)) return broker.accept(message)
      state.tried.push(message)
      return answer()
    })
  return state
}

/** Events that are due, each with a key of its own. */
const seedStuck = (pool: pg.Pool, count: number, topic = GONE) =>
  pool.query(
    `insert into steadfast.event (id, lane, source, type, topic, key, payload, headers, max_sends, correlation_id)
     select gen_random_uuid(), n % 64, 'market', 'market.told', $2, 's' || n, '{}', '{}', 6, n from generate_series(1, $1::int) n`,
    [count, topic]
  )

const cases: [number, string, () => PublishResult][] = [
  [10, 'is missing', unavailable],
  [1000, 'is missing', unavailable],
  [1000, 'fails for a reason of its own', () => failed('unavailable', 'LEADER_NOT_AVAILABLE')],
  [1000, 'leaves it open', () => failed('unknown', 'REQUEST_TIMED_OUT')],
  [100_000, 'is missing', unavailable]
]
for (const [stuck, what, answer] of cases) {
  t.test(`${stuck} events of a topic that ${what}, each with a key of its own: others are sent at once`, async t => {
    const { url, write, pool, rows } = await database(t)
    const broker = brokerWithout(topic => topic === GONE, answer)
    const app = await server(t, url, broker.transport)
    let fetches = 0
    const fetched = () => void fetches++
    batchFetched.subscribe(fetched)
    t.teardown(() => batchFetched.unsubscribe(fetched))
    await seedStuck(pool, stuck)
    await write(many(500))
    t.equal((await app.relay.tick()).sent, 500, 'of one tick, behind all that is stuck')
    t.ok(broker.tried.length <= 1000, `${broker.tried.length} of the topic were tried, a batch at most`)
    for (let round = 0; round < 5; round++) {
      const others = many(20)
      await write(others)
      const before = { fetches, batches: broker.batches, tried: broker.tried.length }
      t.equal((await app.relay.tick()).sent, 20)
      t.same(
        broker.log.slice(-20).map(({ id }) => id),
        others.map(({ id }) => id)
      )
      t.ok(
        fetches - before.fetches <= 3 && broker.batches - before.batches <= 2,
        'a look for them, and one at the topic'
      )
      t.ok(broker.tried.length - before.tried <= 50, 'few of the topic are tried')
    }
    t.equal((await rows('due')).length, stuck)
    t.equal((await rows('due and count = 0')).length, stuck)
    t.match(app.relay.health(), { ready: true, topics: { length: 1 } })
  })
}

t.test('a topic that keeps the broker busy keeps only its own events waiting', async t => {
  const { url, write } = await database(t)
  const broker = recordingTransport()
  let probes = 0
  let settle = () => {}
  const slow = new Promise<void>(resolve => {
    settle = resolve
  })
  let first = true
  broker.answer = async batch => {
    if (!batch.some(({ topic }) => topic === GONE)) return batch.map(broker.accept)
    if (first) {
      first = false
      return batch.map(() => failed('unknown', 'timed out'))
    }
    probes++
    await slow
    return batch.map(broker.accept)
  }
  const app = await server(t, url, broker.transport, { schedule: true, pollIntervalMs: 5 })
  const stuck = many(3, { topic: GONE, key: 'k' })
  await write(stuck)
  await until(() => probes === 1, { what: 'a probe on its way' })
  const others = many(100)
  await write(others)
  await until(() => broker.log.length === 100, { what: 'the others, while the probe is on its way' })
  t.equal(probes, 1, 'one at a time')
  settle()
  await until(() => broker.log.length === 103)
  t.same(
    broker.log.slice(100).map(({ id }) => id),
    stuck.map(({ id }) => id)
  )
  await until(() => app.relay.health().topics === undefined)
})

t.test('1,500 signals to topics that are missing stop nothing, and make no topic', async t => {
  const { url, write } = await database(t)
  const broker = brokerWithout(topic => topic.endsWith('.signals'))
  const app = await server(t, url, broker.transport)
  const signals = Array.from({ length: 1500 }, (_, n) =>
    event({ type: 'steadfast.refused', topic: `${n < 1200 ? 'one' : n}.signals`, isAnswer: true })
  )
  await write(signals)
  await write(many(100))
  t.equal((await app.relay.tick()).sent, 100)
  t.ok(broker.tried.every(({ mustExist }) => mustExist === true))
  for (let round = 0; round < 3; round++) {
    await write(many(10))
    const before = broker.batches
    t.equal((await app.relay.tick()).sent, 10)
    t.ok(broker.batches - before <= 2)
  }
  const { ready, topics = [] } = app.relay.health()
  t.equal(ready, true)
  t.equal(topics.length, 100, 'not all of them are listed')
})

t.test('a topic that is mended: all is sent, in the order of each key, and people are told of both', async t => {
  const { url, write, rows } = await database(t)
  const broker = brokerWithout(topic => topic === GONE)
  const changes: unknown[] = []
  const changed = (message: unknown) => void changes.push(message)
  topicChanged.subscribe(changed)
  t.teardown(() => topicChanged.unsubscribe(changed))
  const app = await server(t, url, broker.transport, { schedule: true, pollIntervalMs: 5, batchSize: 7 })
  const stuck = Array.from({ length: 300 }, (_, n) => event({ topic: GONE, key: `k${n % 5}` }))
  await write(stuck)
  await until(() => app.relay.health().topics)
  const health = app.relay.health()
  const forMs = health.topics?.[0]?.forMs
  const reason = 'UNKNOWN_TOPIC_OR_PARTITION'
  t.same(health, { ready: true, topics: [{ topic: GONE, reason, unavailable: true, forMs }] })
  await until(() => broker.batches > 3, { what: 'some probes' })
  broker.isGone = () => false
  await until(async () => (await rows('due')).length === 0)
  for (const key of ['k0', 'k1', 'k2', 'k3', 'k4'])
    t.same(
      broker.log.filter(sent => sent.key === key).map(({ id }) => id),
      stuck.filter(sent => sent.key === key).map(({ id }) => id)
    )
  await until(() => changes.length === 2)
  t.same(changes, [
    { topic: GONE, state: 'failing', unavailable: true, reason: 'UNKNOWN_TOPIC_OR_PARTITION' },
    { topic: GONE, state: 'recovered', unavailable: false }
  ])
  t.same(app.relay.health(), { ready: true })
})

t.test('a key may fail in one topic and be sent in another', async t => {
  const { url, write } = await database(t)
  const broker = brokerWithout(topic => topic === GONE)
  const app = await server(t, url, broker.transport, { batchSize: 2 })
  const events = ['a', GONE, 'a', GONE, 'a', 'a'].map(topic => event({ topic, key: 'k' }))
  await write(events)
  t.equal((await app.relay.tick()).sent, 4)
  t.same(
    broker.log.map(({ id }) => id),
    events.filter(({ topic }) => topic === 'a').map(({ id }) => id)
  )
})

t.test('the rows that were tried say why, since when, and once', async t => {
  const { url, write, rows, db } = await database(t)
  let words = 'UNKNOWN_TOPIC_OR_PARTITION'
  const broker = brokerWithout(
    topic => topic === GONE,
    () => unavailable(words)
  )
  const app = await server(t, url, broker.transport, { batchSize: 10 })
  await write(many(30, { topic: GONE }))
  const versions = async () =>
    (await db.rows<{ xmin: string }>('select xmin::text from steadfast.event order by seq')).map(({ xmin }) => xmin)
  t.equal((await app.relay.tick()).failed, 10)
  const noted = await rows('failing_since is not null')
  t.equal(noted.length, 10)
  t.ok(noted.every(row => row.last_error === words && row.topic_unavailable_since !== null && row.due === true))
  const before = await versions()
  await until(async () => (await app.relay.tick()).failed > 0)
  t.same(await versions(), before, 'nothing is written again')
  words = 'TOPIC_AUTHORIZATION_FAILED'
  await until(async () => (await app.relay.tick()).failed > 0)
  const [first] = await rows()
  t.equal(first?.last_error, words)
  t.same(first?.failing_since, noted[0]?.failing_since)
})

t.test('a topic that fails for a reason of its own says so on its rows after a moment', async t => {
  const { url, write, rows } = await database(t)
  const broker = brokerWithout(
    topic => topic === GONE,
    () => failed('unavailable', 'LEADER_NOT_AVAILABLE')
  )
  const app = await server(t, url, broker.transport)
  await write([...many(1, { topic: GONE, key: 'k' }), ...many(1)])
  await app.relay.tick()
  t.equal((await rows('failing_since is not null')).length, 0)
  await until(async () => {
    await app.relay.tick()
    return (await rows('failing_since is not null')).length
  })
  const [row] = await rows('due')
  t.equal(row?.last_error, 'LEADER_NOT_AVAILABLE')
  t.equal(row?.topic_unavailable_since, null)
})

t.test('an outage of the whole transport is written on no row and parks nothing, however long', async t => {
  const { url, write, rows } = await database(t)
  const broker = recordingTransport()
  broker.ready = false
  let rounds = 0
  broker.answer = async batch => {
    rounds++
    return batch.map(() => failed('unavailable', 'ECONNREFUSED'))
  }
  const app = await server(t, url, broker.transport, {
    schedule: true,
    pollIntervalMs: 5,
    topicPatienceMs: 1
  })
  await write([...many(3, { topic: GONE }), ...many(3), ...many(2, { type: 'steadfast.refused' })])
  await until(() => rounds > 6)
  t.match(app.relay.health(), { ready: false, reason: /ECONNREFUSED|away/ })
  t.equal((await rows('due and last_error is null and failing_since is null')).length, 8)
  broker.answer = async batch => batch.map(broker.accept)
  broker.ready = true
  await until(async () => (await rows('due')).length === 0)
  t.same(app.relay.health(), { ready: true })
})

t.test("an outage finds a transport that has one topic only, by the transport's own word", async t => {
  const { url, write } = await database(t)
  const broker = recordingTransport()
  broker.answer = async batch => batch.map(() => failed('unavailable', 'ECONNREFUSED'))
  broker.ready = false
  const app = await server(t, url, broker.transport)
  await write(many(2))
  await app.relay.tick()
  t.same(app.relay.health(), { ready: false, reason: 'recording: ECONNREFUSED' })
})

t.test('two ill topics are no outage for long: a look at others finds the transport well', async t => {
  const { url, write, rows } = await database(t)
  const broker = brokerWithout(
    topic => topic !== 'market.things',
    () => failed('unavailable', 'LEADER_NOT_AVAILABLE')
  )
  const app = await server(t, url, broker.transport, { batchSize: 100, schedule: true, pollIntervalMs: 5 })
  await write(Array.from({ length: 400 }, (_, n) => event({ topic: `ill.${n % 120}` })))
  const fine = many(50)
  await write(fine)
  await until(() => broker.log.length === 50)
  await until(() => app.relay.health().ready)
  await until(async () => (await rows('due')).length === 400)
})

t.test('what a missing topic was not sent for so long waits for a person: tried or not', async t => {
  const { url, write, rows, pool } = await database(t)
  const broker = brokerWithout(topic => topic === GONE)
  const told = listenTo(t, 'steadfast:relay:topic-given-up')
  const toldParked = listenTo<ParkedMessage>(t, 'steadfast:store:parked')
  const app = await server(t, url, broker.transport, { batchSize: 10 })
  await write(many(25, { topic: GONE }))
  t.match(await relayOnce(app), { parked: 0, failed: 10 })
  const age = (hours: number) =>
    pool.query(
      `update steadfast.event set updated_at = updated_at - $1 * interval '1 h', failing_since = failing_since - $1 * interval '1 h',
         topic_unavailable_since = topic_unavailable_since - $1 * interval '1 h'`,
      [hours]
    )
  await age(23)
  await write(many(1, { topic: GONE }))
  t.match(await relayOnce(app), { parked: 0 })
  await age(1)
  t.match(await relayOnce(app), { parked: 25 })
  const parked = await rows(`status = 'PARKED'`)
  t.equal(parked.length, 25)
  t.ok(
    parked.every(
      row =>
        row.park_reason === 'TOPIC_UNAVAILABLE' && row.last_error === 'UNKNOWN_TOPIC_OR_PARTITION' && row.count === 0
    )
  )
  t.equal((await rows('due')).length, 1, 'the young one waits on')
  t.equal(told.length, 1)
  t.match(told[0], { topic: GONE, parked: { length: 25 }, dropped: { length: 0 } })
  const ids = parked.map(({ id }) => id).toSorted()
  const heard = toldParked.map(({ eventIds, ...more }) => ({ ...more, eventIds: eventIds.toSorted() }))
  t.same(heard, [{ eventIds: ids, reason: 'TOPIC_UNAVAILABLE', error: 'UNKNOWN_TOPIC_OR_PARTITION' }])
})

t.test('signals to a topic that stays missing are dropped and counted, never parked', async t => {
  const { url, write, rows, pool } = await database(t)
  const broker = brokerWithout(topic => topic === 'one.signals')
  const app = await server(t, url, broker.transport)
  await write(many(1500, { type: 'steadfast.refused', topic: 'one.signals', isAnswer: true }))
  await write(many(1, { topic: 'one.signals' }))
  t.match(await relayOnce(app), { dropped: 0, parked: 0 })
  await pool.query(
    `update steadfast.event set updated_at = updated_at - interval '10 min', topic_unavailable_since = topic_unavailable_since - interval '10 min',
       failing_since = failing_since - interval '10 min'`
  )
  const another = await server(t, url, broker.transport)
  t.equal((await another.relay.tick()).dropped, 1000, 'a bounded number at a time')
  await until(async () => (await another.relay.tick()).dropped === 500)
  t.equal((await another.relay.stats()).dropped, 1500)
  const ended = await rows(`type = 'steadfast.refused'`)
  t.ok(ended.every(row => row.status === 'RESOLVED' && !row.due && row.last_error === 'UNKNOWN_TOPIC_OR_PARTITION'))
  t.same(
    (await rows('due')).map(({ type }) => type),
    ['market.thing.happened']
  )
  t.equal((await rows(`status = 'PARKED'`)).length, 0)
})

t.test('stored answers that go out again wait for what is fresh, and come within a budget', async t => {
  const { url, write, pool, rows } = await database(t)
  const broker = recordingTransport()
  const app = await server(t, url, broker.transport)
  await seedStuck(pool, 5000, 'market.answers')
  await pool.query(`update steadfast.event set replay = true, status = 'PUBLISHED', count = 1`)
  const fresh = many(50)
  await write(fresh)
  const late = many(30)
  broker.answer = async batch => {
    if (broker.batches === 3) await write(late)
    return batch.map(broker.accept)
  }
  const began = performance.now()
  const { sent } = await app.relay.tick()
  const seconds = (performance.now() - began) / 1000
  t.same(
    broker.log.slice(0, 50).map(({ id }) => id),
    fresh.map(({ id }) => id)
  )
  t.ok(sent >= 1080 && sent <= 1200 + seconds * 1000, `${sent}, of them 80 fresh, in ${seconds} s`)
  const places = late.map(({ id }) => broker.log.findIndex(sent => sent.id === id))
  t.ok(Math.max(...places) < 600, `what comes meanwhile waits for a few of them: ${places}`)
  await relayOnce(app)
  t.equal((await rows('due')).length, 0, 'for tests all are sent')
})
