import { createHash, randomUUID } from 'node:crypto'
import { Admin, type CompressionAlgorithmValue, Producer } from '@platformatic/kafka'
import { testKafka, until } from '@steadfast/dev-services'
import type { Delivery } from '@steadfast/events'
import kafkajs from 'kafkajs'
import t, { type Test } from 'tap'
import { createKafkaTransport } from '../src/index.ts'
import { createKafkaTransport as createOnKafkajs } from '../src/kafkajs/index.ts'
import { messages, QUICK, store, texts, transport } from './helper.ts'

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

/** What the brokers say that a topic takes on their disks. */
async function sizeOf(topic: string): Promise<number> {
  const admin = new Admin({ clientId: 'other', bootstrapBrokers: brokers })
  const described = await admin.describeLogDirs({ topics: [{ name: topic, partitions: [0] }] })
  await admin.close()
  const partitions = described.flatMap(({ results }) =>
    results.flatMap(({ topics }) => topics.flatMap(t => t.partitions))
  )
  return partitions.reduce((sum, { partitionSize }) => sum + Number(partitionSize), 0)
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

const clients = [
  { name: 'its own client', create: createKafkaTransport, codecs: ['gzip', 'zstd'] },
  { name: 'kafkajs', create: createOnKafkajs, codecs: ['gzip'] }
] as const

for (const { name, create, codecs } of clients)
  for (const compression of codecs)
    t.test(
      `what is sent with ${compression} is smaller in the log, and is read as it was (${name})`,
      shared,
      async t => {
        const topic = `t-${randomUUID()}`
        const on = create({ brokers, ...QUICK, compression })
        t.teardown(() => on.close(100))
        await on.ensureTopics([{ name: topic, partitions: 1 }])
        const value = Buffer.from(JSON.stringify({ text: 'again and again '.repeat(100) }))
        const sent = Array.from({ length: 100 }, () => ({ topic, key: 'k', headers: { a: Buffer.from('1') }, value }))
        await store(on, [...sent, { topic, key: 'k', headers: {}, value: Buffer.from('{}') }])
        const seen = await read(t, topic)
        await until(() => seen.length === 101, { what: 'all of them' })
        t.ok(seen.slice(0, 100).every(({ raw }) => raw.equals(value)))
        t.equal(seen.at(-1)?.raw.toString(), '{}')
        const bytes = await sizeOf(topic)
        t.ok(bytes > 0 && bytes < (100 * value.length) / 10, `${bytes} bytes in the log`)
      }
    )

t.test('a codec that kafkajs has not is refused at the start', async t => {
  t.throws(() => createOnKafkajs({ brokers: ['127.0.0.1:1'], compression: 'zstd' }), { code: 'SF_OPTIONS_INVALID' })
})
