import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { type TestDatabase, testDatabase, testKafka, until } from '@steadfast/dev-services'
import { buildEvent } from '@steadfast/events'
import { migrate } from '@steadfast/store'
import { storeOn, writeEvents } from '@steadfast/store/internal'
import { createKafkaTransport } from '@steadfast/transport-kafka'
import t from 'tap'

// a busy machine takes its time
t.setTimeout(300_000)

process.env.TOPIC = `counted-${randomUUID()}`
const { Counted } = await import('./processes/counted.ts')
const kafka = testKafka(t)
const EVENTS = 20_000
const KEYS = 200

type Start = (name: 'relay' | 'consumer') => Promise<ChildProcess>

/** A transaction of the business: the row of the key, then its events, so that commits of a key have an order. */
async function count({ pool }: TestDatabase, key: string, events: number): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    const { rows } = await client.query('update counter set n = n + $2 where key = $1 returning n', [key, events])
    const first = rows[0].n - events
    const written = Array.from({ length: events }, (_, i) =>
      buildEvent(Counted, { key, n: first + i }, { source: 'sender' })
    )
    await writeEvents(storeOn(client), written)
    await client.query('commit')
  } finally {
    client.release()
  }
}

/** A third of the events has one of three hot keys, a few have the key that is held, the others are cold. */
async function writeAll(sender: TestDatabase): Promise<Map<string, number>> {
  const totals = new Map<string, number>()
  let left = EVENTS
  const writer = async () => {
    while (left > 0) {
      const events = Math.min(left, 1 + Math.floor(Math.random() * 5))
      left -= events
      const dice = Math.random()
      const key =
        dice < 0.33 ? `hot-${Math.floor(dice * 9)}` : dice < 0.34 ? 'held' : `cold-${Math.floor(Math.random() * KEYS)}`
      totals.set(key, (totals.get(key) ?? 0) + events)
      await count(sender, key, events)
    }
  }
  await Promise.all(Array.from({ length: 8 }, writer))
  return totals
}

t.test(
  'four relays and four consumers keep the order of every key',
  { skip: kafka ? false : 'no Kafka', timeout: 280_000 },
  async t => {
    const sender = await testDatabase(t)
    const consumer = await testDatabase(t)
    await Promise.all([migrate(sender.pool), migrate(consumer.pool)])
    await sender.pool.query('create table counter (key text primary key, n integer not null default 0)')
    await consumer.pool.query('create table effect (id bigserial primary key, key text not null, n integer not null)')
    const keys = ['hot-0', 'hot-1', 'hot-2', 'held', ...Array.from({ length: KEYS }, (_, i) => `cold-${i}`)]
    await sender.pool.query('insert into counter (key) select unnest($1::text[])', [keys])

    const brokers = kafka?.brokers ?? []
    const transport = createKafkaTransport({ brokers })
    await transport.ensureTopics([
      { name: Counted.topic, partitions: 12 },
      { name: 'counter.signals', partitions: 1 },
      { name: 'sender.signals', partitions: 1 }
    ])
    await transport.close(1000)

    const children: ChildProcess[] = []
    t.teardown(() =>
      Promise.all(
        children
          .filter(c => c.exitCode === null && c.signalCode === null)
          .map(c => {
            c.kill('SIGKILL')
            return once(c, 'exit')
          })
      )
    )
    const env = { ...process.env, BROKERS: brokers.join(), SENDER_URL: sender.url, CONSUMER_URL: consumer.url }
    const start: Start = async name => {
      const child = spawn(process.execPath, [join(import.meta.dirname, 'processes', `${name}.ts`)], {
        env,
        stdio: ['pipe', 'pipe', 'inherit']
      })
      children.push(child)
      await once(child.stdout, 'data')
      return child
    }
    const [relays, consumers] = await Promise.all([
      Promise.all(Array.from({ length: 4 }, () => start('relay'))),
      Promise.all(Array.from({ length: 3 }, () => start('consumer')))
    ])
    const effects = async () => Number((await consumer.pool.query('select count(*) from effect')).rows[0].count)
    const writing = writeAll(sender)

    await until(async () => (await effects()) > 500, { what: 'effects begin' })
    await start('consumer') // a rebalance
    await until(async () => (await effects()) > EVENTS / 8, {
      what: 'the fourth consumer joins the work',
      timeoutMs: 120_000
    })
    relays[0]?.kill('SIGKILL')
    await until(async () => (await effects()) > EVENTS / 4, { what: 'three relays go on', timeoutMs: 120_000 })
    consumers[0]?.kill('SIGKILL')
    const totals = await writing
    const expected = EVENTS - (totals.get('held') ?? 0)
    await until(async () => (await effects()) >= expected, {
      what: `${expected} effects`,
      timeoutMs: 180_000,
      intervalMs: 100
    })

    const { rows } = await consumer.pool.query('select key, array_agg(n order by id) as seen from effect group by key')
    let wrong = 0
    for (const { key, seen } of rows) {
      if (seen.length !== totals.get(key) || seen.some((n: number, i: number) => n !== i)) wrong++
    }
    t.equal(rows.length, totals.size - (totals.has('held') ? 1 : 0), 'every key but the held one was worked on')
    t.equal(wrong, 0, 'keys whose effects are out of order, doubled or missing')

    await until(async () => (await states(consumer)).get('BLOCKED') === (totals.get('held') ?? 0) - 1, {
      what: 'the held key waits behind its head'
    })
    t.equal((await states(consumer)).get('HELD'), 1)
    const head = await consumer.pool.query(
      "select (convert_from(body, 'UTF8')::json ->> 'n')::int as n from steadfast.inbox where state = 'HELD'"
    )
    t.equal(head.rows[0].n, 0, 'what is held is the first of its key')
    const { rows: due } = await sender.pool.query(
      "select count(*)::int as n from steadfast.event where due or status <> 'PUBLISHED'"
    )
    t.equal(due[0].n, 0, 'everything is published')
  }
)

async function states({ pool }: TestDatabase): Promise<Map<string, number>> {
  const { rows } = await pool.query('select state, count(*)::int as n from steadfast.inbox group by state')
  return new Map(rows.map(({ state, n }) => [state, n]))
}
