// How much the transport adds to kafkajs: node packages/transport-kafka/bench/rates.ts (needs Java and Maven).
import { randomUUID } from 'node:crypto'
import { launchKafka } from '@steadfast/dev-services'
import type { Outgoing } from '@steadfast/events'
import kafkajs from 'kafkajs'
import { createKafkaTransport } from '../src/index.ts'

const TOTAL = Number(process.argv[2] ?? 300_000)
const BATCH = 1000
const broker = await launchKafka()
const { brokers } = broker
const transport = createKafkaTransport({ brokers })
const signal = new AbortController().signal

function batches(topic: string, headers: Record<string, Buffer>): Outgoing[][] {
  const value = Buffer.alloc(300, 'x')
  return Array.from({ length: 20 }, (_, b) =>
    Array.from({ length: BATCH }, (_, i) => ({ topic, key: `key-${(b * BATCH + i) % 5003}`, headers, value }))
  )
}

async function newTopic(): Promise<string> {
  const name = randomUUID()
  await transport.ensureTopics([{ name, partitions: 12 }])
  return name
}

async function rate(what: string, work: (done: () => boolean) => Promise<number>): Promise<void> {
  const start = performance.now()
  const cpu = process.cpuUsage()
  const count = await work(() => performance.now() - start > 60_000)
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const cores = (user + system) / 1e6 / seconds
  console.log(`${what}: ${Math.round(count / seconds).toLocaleString('en')} msg/s, ${cores.toFixed(2)} cores`)
}

const HEADERS = Object.fromEntries(
  ['ce_id', 'ce_source', 'ce_type', 'ce_time', 'ce_specversion', 'ce_subject', 'ce_partitionkey', 'ce_sequence']
    .concat(['ce_correlationid', 'ce_dataversion', 'content-type', 'traceparent'])
    .map(name => [name, Buffer.from(randomUUID())])
)

for (const [what, headers] of [
  ['no headers', {}],
  ['12 headers', HEADERS]
] as const) {
  const topic = await newTopic()
  const made = batches(topic, headers)
  await transport.publish(made[0] ?? [], signal)
  await rate(`publish, ${what}`, async () => {
    for (let sent = 0; sent < TOTAL; sent += BATCH) {
      const results = await transport.publish(made[(sent / BATCH) % made.length] ?? [], signal)
      if (!results.every(result => result.ok)) throw new Error(JSON.stringify(results.find(result => !result.ok)))
    }
    return TOTAL
  })
  const producer = new kafkajs.Kafka({ brokers }).producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner
  })
  await producer.connect()
  await rate(`kafkajs sendBatch, ${what}`, async () => {
    for (let sent = 0; sent < TOTAL; sent += BATCH) {
      const messages = (made[(sent / BATCH) % made.length] ?? []).map(({ key, value, headers }) => ({
        key,
        value,
        headers
      }))
      await producer.sendBatch({ topicMessages: [{ topic, messages }] })
    }
    return TOTAL
  })
  await producer.disconnect()
  await rate(`consume, ${what}`, async () => {
    let seen = 0
    const all = Promise.withResolvers<void>()
    const subscription = await transport.subscribe(
      { group: randomUUID(), topics: [topic], maxInFlight: 1000 },
      delivery => {
        delivery.done()
        if (++seen === 2 * TOTAL + BATCH) all.resolve()
      }
    )
    await all.promise
    void subscription.close(1000)
    return seen
  })
}

const topic = await newTopic()
let arrived: (() => void) | undefined
const subscription = await transport.subscribe({ group: randomUUID(), topics: [topic], maxInFlight: 10 }, delivery => {
  delivery.done()
  arrived?.()
})
const latencies: number[] = []
for (let i = 0; i < 300; i++) {
  const arrival = new Promise<void>(resolve => {
    arrived = resolve
  })
  const start = performance.now()
  await transport.publish([{ topic, key: `k${i}`, headers: {}, value: Buffer.from('x') }], signal)
  await arrival
  latencies.push(performance.now() - start)
}
latencies.sort((a, b) => a - b)
const at = (share: number) => latencies[Math.floor(latencies.length * share)]?.toFixed(2)
console.log(`publish to delivery, idle: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`)
await subscription.close(1000)
await transport.close(1000)
await broker.stop()
