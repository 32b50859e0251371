import { randomUUID } from 'node:crypto'
import { until } from '@steadfast/dev-services'
import type { Delivery } from '@steadfast/events'
import kafkajs from 'kafkajs'
import t from 'tap'
import { brokerBehindProxy, IMPATIENT, message, newTopic, skip, store, texts, transport } from './helper.ts'

// A single broker cannot keep three copies of the offsets, so nobody coordinates any group.
const NO_COORDINATOR = { 'offsets.topic.replication.factor': 3, 'offsets.topic.num.partitions': 1 }

t.test(
  'a broker without a coordinator of groups: not ready, and consuming begins when there is one',
  { skip },
  async t => {
    const { brokers } = await brokerBehindProxy(t, NO_COORDINATOR)
    const lives: string[] = []
    const logger = {
      debug() {},
      info() {},
      error() {},
      warn: ({ err }: { err?: Error }) => lives.push(String(err?.name))
    }
    const on = transport(t, brokers, { ...IMPATIENT, logger })
    const topic = await newTopic(on)
    await store(on, [message(topic, 'k', 'm')])
    const seen: Delivery[] = []
    await on.subscribe({ group: randomUUID(), topics: [topic], maxInFlight: 10 }, delivery => {
      seen.push(delivery)
      delivery.done()
    })
    await until(() => lives.length >= 1, { what: 'kafkajs to give up' })
    t.match(on.health(), { ready: false, reason: /coordinator/i })
    t.same(texts(seen), [])

    const admin = new kafkajs.Kafka({ brokers }).admin()
    await admin.connect()
    t.teardown(() => admin.disconnect())
    const configEntries = [{ name: 'cleanup.policy', value: 'compact' }]
    await admin.createTopics({
      waitForLeaders: false,
      topics: [{ topic: '__consumer_offsets', numPartitions: 1, replicationFactor: 1, configEntries }]
    })
    await until(() => texts(seen).includes('m'), { what: 'the delivery' })
    await until(() => on.health().ready, { what: 'health' })
    t.comment(`${lives.join()}`)
  }
)
