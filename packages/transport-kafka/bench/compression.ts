// What compressing costs and saves: node packages/transport-kafka/bench/compression.ts [messages] (needs Java and Maven).
// Events as services write them, some 700 bytes with their headers; the contenders take turns.
import { randomInt, randomUUID } from 'node:crypto'
import { Admin } from '@platformatic/kafka'
import { launchKafka } from '@steadfast/dev-services'
import { encodeEvent, type Outgoing } from '@steadfast/events'
import { createKafkaTransport } from '../src/index.ts'

const TOTAL = Number(process.argv[2] ?? 100_000)
const ROUNDS = 5
const BATCH = 1000
const broker = await launchKafka()
const { brokers } = broker
const signal = new AbortController().signal

const order = (n: number): Outgoing =>
  encodeEvent({
    id: randomUUID(),
    seq: String(n),
    source: 'market',
    type: 'market.deployment.requested',
    topic: '',
    key: randomUUID(),
    dataVersion: null,
    payload: JSON.stringify({
      orderId: randomUUID(),
      product: 'postgres',
      plan: ['small', 'medium', 'large'][n % 3],
      amount: randomInt(100_000),
      placedAt: new Date(Date.now() - randomInt(1e9)).toISOString(),
      customer: { id: randomUUID(), name: `customer ${randomInt(1e6)}`, country: 'CH' }
    }),
    headers: { traceparent: `00-${randomUUID().replaceAll('-', '')}-b7ad6b7169203331-01` },
    replyTo: 'market.signals',
    causationId: null,
    correlationId: randomUUID(),
    createdAt: new Date(),
    count: 0,
    replay: false
  })
const events = Array.from({ length: 20_000 }, (_, n) => order(n))

async function round(compression: 'none' | 'gzip' | 'zstd') {
  const transport = createKafkaTransport({ brokers, compression })
  const topic = randomUUID()
  await transport.ensureTopics([{ name: topic, partitions: 12 }])
  const batchAt = (sent: number) =>
    Array.from({ length: BATCH }, (_, i) => ({ ...(events[(sent + i) % events.length] as Outgoing), topic }))
  await transport.publish(batchAt(0), signal)
  const [start, cpu] = [performance.now(), process.cpuUsage()]
  for (let sent = 0; sent < TOTAL; sent += BATCH) {
    const results = await transport.publish(batchAt(sent), signal)
    if (!results.every(({ ok }) => ok)) throw new Error('a message was not taken')
  }
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpu)
  await transport.close(1000)
  const admin = new Admin({ clientId: 'bench', bootstrapBrokers: brokers })
  const partitions = Array.from({ length: 12 }, (_, n) => n)
  const dirs = await admin.describeLogDirs({ topics: [{ name: topic, partitions }] })
  await admin.close()
  const found = dirs.flatMap(({ results }) => results.flatMap(({ topics }) => topics.flatMap(t => t.partitions)))
  const bytes = found.reduce((sum, { partitionSize }) => sum + Number(partitionSize), 0)
  return {
    rate: TOTAL / seconds,
    cpuMicros: (user + system) / TOTAL,
    bytes: bytes / (TOTAL + BATCH)
  }
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number
const found = new Map<string, Awaited<ReturnType<typeof round>>[]>()
for (let n = 0; n < ROUNDS; n++)
  for (const compression of ['none', 'gzip', 'zstd'] as const) {
    const result = await round(compression)
    found.set(compression, [...(found.get(compression) ?? []), result])
  }
for (const [compression, results] of found) {
  const of = (pick: (result: (typeof results)[number]) => number) => Math.round(median(results.map(pick)))
  const rate = of(result => result.rate).toLocaleString('en')
  console.log(
    `${compression}: ${rate} messages/s, ${of(result => result.cpuMicros)} µs of this process each, ${of(result => result.bytes)} bytes each in the log`
  )
}
await broker.stop()
