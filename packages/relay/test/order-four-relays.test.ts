import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { testKafka, until } from '@steadfast/dev-services'
import type { NewEvent } from '@steadfast/events'
import { createKafkaTransport } from '@steadfast/transport-kafka'
import kafkajs from 'kafkajs'
import t from 'tap'
import { database, event } from './helper.ts'

const TOTAL = 20_000
const WRITERS = 4
const PARTITIONS = 6

const kafka = testKafka(t)

async function startRelay(url: string, brokers: string[]): Promise<ChildProcess> {
  const file = new URL('relay-process.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [file, url, brokers.join()], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return child
}

/** What lies in the topic, partition by partition, in the log's order: read without any of Steadfast's code. */
function readTopic(brokers: string[], topic: string) {
  const client = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING })
  const consumer = client.consumer({ groupId: `${topic}.reader` })
  const seen = new Map<string, { key: string; sequence: bigint }>()
  const last = new Map<string, bigint>()
  const state = { seen, messages: 0, inversions: 0 }
  const start = async () => {
    await consumer.connect()
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ message }) => {
        state.messages++
        const id = String(message.headers?.ce_id)
        const key = String(message.key)
        const sequence = BigInt(String(message.headers?.ce_sequence))
        if (seen.has(id)) return
        seen.set(id, { key, sequence })
        if (sequence < (last.get(key) ?? 0n)) state.inversions++
        last.set(key, sequence)
      }
    })
  }
  return { state, start, stop: () => consumer.disconnect() }
}

t.test(
  'four relay processes, one killed: no two events of a key overtake each other, and none is missing',
  { skip: kafka ? false : 'no Kafka: Java ≥ 17 and Maven needed' },
  async t => {
    const { brokers } = kafka as { brokers: string[] }
    const { url, write, pool } = await database(t)
    const topic = `order.${process.pid}.${Date.now()}`
    const transport = createKafkaTransport({ brokers })
    await transport.ensureTopics([{ name: topic, partitions: PARTITIONS }])
    await transport.close(1000)
    const reader = readTopic(brokers, topic)
    t.teardown(reader.stop)

    const relays = await Promise.all(Array.from({ length: 4 }, () => startRelay(url, brokers)))
    const reading = reader.start()
    // Each writer has keys of its own, so that the order of commits of a key is the order of its seq.
    const writer = async (w: number) => {
      for (let n = 0; n < TOTAL / WRITERS; n += 100) {
        const batch: NewEvent[] = Array.from({ length: 100 }, (_, i) => {
          const key = i % 3 === 0 ? `hot-${w}` : `cold-${w}-${(n + i) % 500}`
          return event({ topic, key })
        })
        await write(batch)
      }
    }
    const writing = Promise.all(Array.from({ length: WRITERS }, (_, w) => writer(w)))
    await reading
    await until(() => reader.state.seen.size > TOTAL / 10)
    relays[0]?.kill('SIGKILL')
    await writing
    const some = async (where: string) =>
      (await pool.query(`select from steadfast.event where ${where} limit 1`)).rowCount
    await until(async () => (await some('due')) === 0, { timeoutMs: 60_000, intervalMs: 50, what: 'an empty outbox' })
    await until(() => reader.state.seen.size >= TOTAL, { timeoutMs: 60_000, what: 'the whole topic' })
    t.equal(reader.state.inversions, 0)
    t.equal(reader.state.seen.size, TOTAL)
    t.equal(await some('count <> 1'), 0)
    t.comment(`${reader.state.messages - TOTAL} duplicates`)
    const codes = relays.slice(1).map(async relay => {
      const exit = once(relay, 'exit')
      relay.kill('SIGTERM')
      return (await exit)[0]
    })
    t.same(await Promise.all(codes), [0, 0, 0], 'and end in order')
  }
)
