import { randomUUID } from 'node:crypto'
import { matchWhole, testKafka, until } from '@steadfast/dev-services'
import type { Delivery } from '@steadfast/events'
import kafkajs from 'kafkajs'
import t from 'tap'
import { messages, newTopic, publish, store, texts, transport } from './helper.ts'

const kafka = testKafka(t)
const shared = { skip: kafka ? false : 'no Kafka: Java ≥ 17 and Maven needed' } as const
const brokers = kafka?.brokers ?? []

t.test('partitions are added: it is warned of, and the group reads them from their beginning', shared, async t => {
  const warnings: object[] = []
  const warn = (details: object) => void ('topic' in details && warnings.push(details))
  const logger = { debug() {}, info() {}, error() {}, warn }
  const on = transport(t, brokers, { logger })
  const topic = await newTopic(on, 1)
  const group = randomUUID()
  const seen: Delivery[] = []
  const take = (delivery: Delivery) => {
    seen.push(delivery)
    delivery.done()
  }
  const first = await on.subscribe({ group, topics: [topic], maxInFlight: 100 }, take)
  await publish(on, messages(topic, 10))
  await until(() => seen.length === 10, { what: 'what came before' })
  await until(async () => (await first.lag()) === 0n, { what: 'its offset' })
  await first.close(1000)

  const admin = new kafkajs.Kafka({ brokers }).admin()
  await admin.connect()
  t.teardown(() => admin.disconnect())
  await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] })
  // A service that starts says how many partitions it expects.
  await until(
    async () => {
      await on.ensureTopics([{ name: topic, partitions: 1 }])
      return warnings.length >= 2
    },
    { what: 'the warnings' }
  )
  matchWhole(t, warnings, [
    { topic, before: 1, now: 4 },
    { topic, partitions: 4, wanted: 1 }
  ])

  const later = messages(topic, 40).map(message => ({ ...message, value: Buffer.from(`later ${message.value}`) }))
  await store(on, later)
  await on.subscribe({ group, topics: [topic], maxInFlight: 100 }, take)
  await until(() => seen.length >= 50, { what: 'what is in the new partitions' })
  t.same(texts(seen).slice(10).toSorted(), later.map(({ value }) => value.toString()).toSorted())
  t.ok(new Set(seen.slice(10).map(({ position }) => position.split(':')[0])).size > 1)
})
