import { randomUUID } from 'node:crypto'
import { testKafka } from '@steadfast/dev-services'
import type { Transport } from '@steadfast/events'
import kafkajs from 'kafkajs'
import t, { type Test } from 'tap'
import { createKafkaTransport } from '../src/index.ts'
import { createKafkaTransport as createOnKafkajs } from '../src/kafkajs/index.ts'
import { QUICK } from './helper.ts'

const kafka = testKafka(t)
const shared = { skip: kafka ? false : 'no Kafka: Java ≥ 17 and Maven needed' } as const
const brokers = kafka?.brokers ?? []

const clients = { 'its own client': createKafkaTransport, kafkajs: createOnKafkajs }

function connect(t: Test, create: (typeof clients)[keyof typeof clients]): Transport {
  const made = create({ brokers, ...QUICK })
  t.teardown(() => made.close(100))
  return made
}

for (const [name, create] of Object.entries(clients)) {
  t.test(`what the broker keeps of topics is told; of one that is missing, its name (${name})`, shared, async t => {
    const on = connect(t, create)
    const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin()
    await admin.connect()
    t.teardown(() => admin.disconnect())
    const [odd, missing] = [`t-${randomUUID()}`, `t-${randomUUID()}`]
    const settings = {
      'retention.ms': '60000',
      'retention.bytes': '1000000',
      'segment.ms': '30000',
      'cleanup.policy': 'compact,delete',
      'max.message.bytes': '5000'
    }
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
    await admin.createTopics({ waitForLeaders: false, topics: [{ topic: odd, configEntries, replicationFactor: 1 }] })
    t.strictSame(await on.describeTopics?.([odd, missing]), [
      {
        name: odd,
        brokers: 1,
        replicas: 1,
        retentionMs: 60_000,
        retentionBytes: 1_000_000,
        segmentMs: 30_000,
        isCompacted: true,
        minInSync: 1,
        maxMessageBytes: 5000
      },
      { name: missing }
    ])
  })

  t.test(`a topic that ensureTopics makes is sound, whatever the cluster's defaults are (${name})`, shared, async t => {
    const on = connect(t, create)
    const topic = `t-${randomUUID()}`
    await on.ensureTopics([{ name: topic, partitions: 2 }])
    const [facts] = (await on.describeTopics?.([topic])) ?? []
    const { isCompacted, replicas, retentionBytes } = facts ?? {}
    t.strictSame(
      { isCompacted, replicas, retentionBytes },
      { isCompacted: false, replicas: 1, retentionBytes: Number.POSITIVE_INFINITY }
    )
  })
}
