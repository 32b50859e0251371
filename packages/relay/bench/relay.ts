// How fast the relay drains the outbox to a real broker, beside kafkajs sending the same messages by itself.
// node packages/dev-services/src/bin/tap.ts starts servers for tests; this one starts its own.
// Usage: node packages/relay/bench/relay.ts [--events 100000] [--bytes 300] [--batch 1000]
import { readFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import fastifyPostgres from '@fastify/postgres'
import { launchKafka, launchPostgres } from '@steadfast/dev-services'
import { encodeEvent, laneOf, type Outgoing } from '@steadfast/events'
import { migrate } from '@steadfast/store'
import kafkaTransport from '@steadfast/transport-kafka'
import Fastify from 'fastify'
import kafkajs from 'kafkajs'
import pg from 'pg'
import relay from '../src/index.ts'
import { relayOnce } from '../src/testing.ts'

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '100000' },
    bytes: { type: 'string', default: '300' },
    batch: { type: 'string', default: '1000' },
    keys: { type: 'string', default: '10000' }
  }
})
const total = Number(values.events)
const batchSize = Number(values.batch)
const payload = JSON.stringify({ text: 'x'.repeat(Math.max(0, Number(values.bytes) - 11)) })
const TOPIC = 'bench.relay'
const PARTITIONS = 12

/** As the outbox would leave them: `total` rows that are NEW and due. */
async function fill(pool: pg.Pool): Promise<void> {
  const lanes = Array.from({ length: Number(values.keys) }, (_, n) => laneOf(`order-${n}`))
  await pool.query(
    `insert into steadfast.event (id, lane, source, type, topic, key, payload, headers, max_sends, awaits_from, reply_to,
       confirm_within_ms, resend_backoff, correlation_id)
     select (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') || '7' || lpad(to_hex(n % 4096), 3, '0') || '8' || lpad(to_hex(n), 15, '0'))::uuid,
       ($2::smallint[])[n % $3 + 1], 'market', 'market.thing.requested', $4, 'order-' || n % $3, $5::json,
       '{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}', 6, 'deploy', 'market.signals', 600000, 2, n::text
     from generate_series(0, $1::int - 1) n`,
    [total, lanes, lanes.length, TOPIC, payload]
  )
  await pool.query('vacuum analyze steadfast.event')
}

async function rawRate(brokers: string[]): Promise<number> {
  const kafka = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING })
  const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
  await producer.connect()
  const message = (n: number): Outgoing =>
    encodeEvent({
      id: '018f3b5e-8a3a-7c3e-8f3a-000000000000',
      seq: String(n),
      source: 'market',
      type: 'market.thing.requested',
      topic: TOPIC,
      key: `order-${n % Number(values.keys)}`,
      dataVersion: null,
      payload,
      headers: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
      replyTo: 'market.signals',
      causationId: null,
      correlationId: String(n),
      createdAt: new Date(),
      count: 0,
      replay: false
    })
  const started = performance.now()
  for (let n = 0; n < total; n += batchSize) {
    const messages = Array.from({ length: Math.min(batchSize, total - n) }, (_, i) => message(n + i))
    await producer.sendBatch({ acks: -1, topicMessages: [{ topic: TOPIC, messages }] })
  }
  const rate = total / ((performance.now() - started) / 1000)
  await producer.disconnect()
  return rate
}

async function relayRate(app: Awaited<ReturnType<typeof build>>, pool: pg.Pool): Promise<number> {
  await fill(pool)
  const pids = { node: process.pid, postgres: server.pid, kafka: broker.pid }
  const cpu = () => Object.values(pids).map(pid => [pid, ...childrenOf(pid)].reduce((sum, p) => sum + cpuMs(p), 0))
  const before = cpu()
  const started = performance.now()
  const { sent } = await relayOnce(app)
  const rate = sent / ((performance.now() - started) / 1000)
  const spent = cpu().map((ms, n) => (((ms - (before[n] ?? 0)) * 1000) / sent).toFixed(1))
  console.log(
    `CPU per event in µs: ${Object.keys(pids)
      .map((name, n) => `${name} ${spent[n]}`)
      .join(', ')}`
  )
  const { rows } = await pool.query(
    `select count(*)::int as n from steadfast.event where status = 'PUBLISHED' and count = 1`
  )
  if (sent !== total || rows[0].n !== total) throw new Error(`sent ${sent}, marked ${rows[0].n} of ${total}`)
  await pool.query('truncate steadfast.event')
  return rate
}

// What other work does on the machine changes rates much more than it changes these. Linux only; elsewhere 0.
function cpuMs(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * 10
  } catch {
    return 0
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

async function build(url: string, brokers: string[]) {
  const app = Fastify()
  await app.register(fastifyPostgres, { connectionString: url })
  await app.register(kafkaTransport, { brokers })
  await app.register(relay, { schedule: false, batchSize })
  await app.ready()
  return app
}

const [server, broker] = await Promise.all([launchPostgres(), launchKafka()])
const pool = new pg.Pool({ connectionString: server.url }).on('error', () => {})
try {
  await migrate(pool)
  const app = await build(server.url, broker.brokers)
  await app.transport.ensureTopics([{ name: TOPIC, partitions: PARTITIONS }])
  console.log(
    `${total} events of ${payload.length} bytes, batches of ${batchSize}, ${PARTITIONS} partitions; ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`
  )
  for (let round = 1; round <= 3; round++) {
    const raw = await rawRate(broker.brokers)
    const relayed = await relayRate(app, pool)
    console.log(
      `round ${round}: kafkajs alone ${Math.round(raw)}/s, relay with fetch and mark ${Math.round(relayed)}/s, ratio ${(relayed / raw).toFixed(2)}`
    )
  }
  await app.close()
} finally {
  await pool.end()
  await Promise.all([server.stop(), broker.stop()])
}
