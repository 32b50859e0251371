import { createHash, randomUUID } from 'node:crypto'
import { type CompressionAlgorithmValue, Producer } from '@platformatic/kafka'
import { testKafka, until } from '@steadfast/dev-services'
import type { Delivery } from '@steadfast/events'
import kafkajs from 'kafkajs'
import t, { type Test } from 'tap'
import { messages, store, texts, transport } from './helper.ts'

const kafka = testKafka(t)
const shared = { skip: kafka ? false : 'no Kafka: Java ≥ 17 and Maven needed' } as const
const brokers = kafka?.brokers ?? []
const CODECS = ['gzip', 'snappy', 'lz4', 'zstd'] as const

// a busy machine takes its time
t.setTimeout(120_000)

async function topicThatCompresses(codec: string): Promise<string> {
  const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin()
  await admin.connect()
  const topic = `t-${randomUUID()}`
  const configEntries = [{ name: 'compression.type', value: codec }]
  await admin.createTopics({ waitForLeaders: false, topics: [{ topic, configEntries }] })
  await admin.disconnect()
  return topic
}

async function read(t: Test, topic: string, options: object = {}): Promise<Delivery[]> {
  const on = transport(t, brokers, options)
  const seen: Delivery[] = []
  await on.subscribe({ group: randomUUID(), topics: [topic], maxInFlight: 1000 }, delivery => {
    seen.push(delivery)
    delivery.done()
  })
  return seen
}

/** By a producer of another make, which packs as it is told. */
async function produce(topic: string, compression: CompressionAlgorithmValue, texts: readonly string[]): Promise<void> {
  const producer = new Producer({ clientId: 'other', bootstrapBrokers: brokers })
  for (const text of texts) {
    const value = Buffer.from(text)
    await producer.send({
      messages: [{ topic, key: Buffer.from('k'), value, headers: new Map() }],
      compression,
      acks: -1
    })
  }
  await producer.close()
}

for (const codec of CODECS)
  t.test(codec, shared, async t => {
    await t.test('what the broker packs anew, our own included, is read', async t => {
      const topic = await topicThatCompresses(codec)
      const on = transport(t, brokers)
      const sent = messages(topic, 200, () => 'k')
      await on.ensureTopics([{ name: topic, partitions: 1 }])
      await store(on, sent)
      const seen = await read(t, topic)
      await until(() => seen.length >= 200, { what: 'all of them' })
      t.same(
        texts(seen),
        sent.map(({ value }) => value.toString())
      )
    })

    await t.test('what is too large unpacked is handed out as a hash, and what is behind it goes on', async t => {
      const topic = await topicThatCompresses('producer')
      await transport(t, brokers).ensureTopics([{ name: topic, partitions: 1 }])
      await produce(topic, codec, ['before', ' '.repeat(8 << 20), 'behind'])
      const seen = await read(t, topic, { maxUnpackedBytes: 1 << 20 })
      await until(() => texts(seen).includes('behind'), { what: 'what is behind' })
      const [first, unreadable, last, ...more] = texts(seen)
      t.same([first, last, more], ['before', 'behind', []])
      const about = JSON.parse(unreadable ?? '{}')
      t.match(about.unreadable, /is larger than 1048576 when it is unpacked/)
      t.ok(about.bytes > 0 && about.bytes < 1 << 20, 'as it came')
      t.equal(about.sha256.length, createHash('sha256').digest('hex').length)
      t.same(seen[1]?.position, '0:1')
    })
  })
