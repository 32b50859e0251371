import { randomUUID } from 'node:crypto'
import { makeTopics, testKafka, until } from '@steadfast/dev-services'
import { AUTHORIZER, denyWriting } from '@steadfast/dev-services/kafka-acl'
import type { Delivery, Transport } from '@steadfast/events'
import kafkajs from 'kafkajs'
import t from 'tap'
import {
  about,
  brokerBehindProxy,
  message,
  messages,
  newTopic,
  outcomes,
  publish,
  skip,
  texts,
  transport
} from './helper.ts'

const kafka = testKafka(t)
const shared = { skip: kafka ? false : 'no Kafka: Java ≥ 17 and Maven needed' } as const
const brokers = kafka?.brokers ?? []

async function topicWith(settings: Record<string, string>, partitions = 1): Promise<string> {
  const topic = `t-${randomUUID()}`
  const admin = new kafkajs.Kafka({ brokers }).admin()
  await admin.connect()
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
  await makeTopics(admin, [{ topic, numPartitions: partitions, replicationFactor: 1, configEntries }])
  await admin.disconnect()
  return topic
}

async function readAll(on: Transport, topic: string, count: number): Promise<Delivery[]> {
  const seen: Delivery[] = []
  const subscription = await on.subscribe({ group: randomUUID(), topics: [topic], maxInFlight: 10_000 }, delivery => {
    seen.push(delivery)
  })
  const isOurs = ({ raw }: Delivery) => raw[0] !== 'x'.charCodeAt(0)
  await until(() => seen.filter(isOurs).length >= count, { what: `${count} deliveries` })
  await subscription.close(0)
  return seen.filter(isOurs)
}

t.test('a tiny max.message.bytes: chunks fit, one message is refused, the rest goes', shared, async t => {
  const topic = await topicWith({ 'max.message.bytes': '2000' })
  const on = transport(t, brokers)
  const batch = messages(topic, 100, i => `key-${i % 10}`)
  batch[50] = message(topic, 'key-0', 'x'.repeat(2001))
  const results = await publish(on, batch)
  t.same(outcomes(results)[50], 'refused')
  t.match(results[50], { error: { code: 'SF_TRANSPORT_KAFKA_TOO_LARGE' } })
  const expected = batch.map((_, i) => (i < 50 || i % 10 !== 0 ? 'ok' : i === 50 ? 'refused' : 'unavailable'))
  t.same(outcomes(results), expected)
  t.match(results[60], { error: { code: 'SF_TRANSPORT_KAFKA_KEY_BLOCKED' } })
  const stored = texts(await readAll(on, topic, 95))
  t.same(
    stored,
    batch.flatMap(({ value }, i) => (expected[i] === 'ok' ? [value.toString()] : [])),
    'each once, in order'
  )
})

t.test('the limit was lowered behind our back: the broker refuses, and halving finds the culprit', shared, async t => {
  const topic = await topicWith({ 'max.message.bytes': '50000' })
  const on = transport(t, brokers)
  t.same(outcomes(await publish(on, [message(topic, 'first', 'first')])), ['ok'])
  const admin = new kafkajs.Kafka({ brokers }).admin()
  await admin.connect()
  t.teardown(() => admin.disconnect())
  const configEntries = [{ name: 'max.message.bytes', value: '900' }]
  await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: topic, configEntries }] })
  const refused = message(topic, 'probe', 'x'.repeat(1000))
  await until(async () => outcomes(await publish(on, [refused]))[0] === 'refused', { what: 'the new limit' })

  const batch = messages(topic, 64, i => `k${i % 8}`)
  batch[20] = message(topic, 'k4', 'x'.repeat(1000))
  const results = await publish(on, batch)
  const expected = batch.map((_, i) => (i < 20 || i % 8 !== 4 ? 'ok' : i === 20 ? 'refused' : 'unavailable'))
  t.same(outcomes(results), expected)
  const stored = texts(await readAll(on, topic, 59)).filter(text => text !== 'first')
  t.same(
    stored,
    batch.flatMap(({ value }, i) => (expected[i] === 'ok' ? [value.toString()] : [])),
    'each once, in order'
  )
})

t.test('more than one record batch of one partition', shared, async t => {
  const on = transport(t, brokers)
  const topic = await newTopic(on)
  const batch = Array.from({ length: 300 }, (_, i) => message(topic, 'k', `${i}:${'x'.repeat(10_000)}`))
  t.ok(outcomes(await publish(on, batch)).every(outcome => outcome === 'ok'))
  const stored = await readAll(on, topic, 300)
  t.same(
    stored.map(({ raw }) => Number.parseInt(raw.toString(), 10)),
    batch.map((_, i) => i)
  )
})

t.test('a topic that does not exist fails its own messages only', shared, async t => {
  const on = transport(t, brokers)
  const topic = await newTopic(on)
  const missing = `none-${randomUUID()}`
  const batch = [message(missing, 'k', 'a'), message(topic, 'k', 'b'), message(missing, 'k', 'c')]
  const results = await publish(on, batch)
  t.same(outcomes(results), ['unavailable', 'ok', 'unavailable'])
  t.same(about(results), ['topic', undefined, 'topic'])
  await on.ensureTopics([{ name: missing, partitions: 1 }])
  t.same(outcomes(await publish(on, batch)), ['ok', 'ok', 'ok'], 'and goes once it exists')
  t.same(outcomes(await publish(on, [message('bad name!', 'k', 'a'), batch[1] as never])), ['refused', 'ok'])
})

t.test('calls wait for each other, so order is that of the calls', shared, async t => {
  const on = transport(t, brokers)
  const topic = await newTopic(on)
  t.same(outcomes(await publish(on, [message(topic, 'k', 'first')])), ['ok'])
  // Without a queue the second call would pass the first, which asks for a topic that does not exist.
  const slow = publish(on, [message(`none-${randomUUID()}`, 'k', ''), message(topic, 'k', 'second')])
  const quick = publish(on, [message(topic, 'k', 'third')])
  t.same(outcomes([...(await slow), ...(await quick)]), ['unavailable', 'ok', 'ok'])
  t.same(texts(await readAll(on, topic, 3)), ['first', 'second', 'third'])
})

t.test(
  'a call that is aborted while it waits for another settles, and does not let a later one pass',
  shared,
  async t => {
    const on = transport(t, brokers)
    const topic = await newTopic(on)
    const controller = new AbortController()
    const first = publish(on, [message(topic, 'k', 'first')])
    const second = on.publish([message(topic, 'k', 'second')], controller.signal)
    const third = publish(on, [message(topic, 'k', 'third')])
    controller.abort()
    t.same(outcomes(await second), ['unavailable'])
    t.same(outcomes([...(await first), ...(await third)]), ['ok', 'ok'])
    t.same(texts(await readAll(on, topic, 2)), ['first', 'third'])
  }
)

t.test('a topic that takes nothing fails its own messages, certainly unstored', { skip }, async t => {
  const { brokers } = await brokerBehindProxy(t, AUTHORIZER)
  const on = transport(t, brokers)
  const good = await newTopic(on, 3)
  const bad = await newTopic(on, 3)
  const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin()
  await admin.connect()
  t.teardown(() => admin.disconnect())
  const allow = await denyWriting(admin, bad)
  const batch = Array.from({ length: 40 }, (_, i) => message(i % 2 ? bad : good, `key-${i}`, `m${i}`))
  const results = await publish(on, batch)
  t.same(
    outcomes(results),
    batch.map((_, i) => (i % 2 ? 'unavailable' : 'ok'))
  )
  t.same(
    about(results),
    batch.map((_, i) => (i % 2 ? 'topic' : undefined))
  )
  t.match(results[1], { error: { code: 'SF_TRANSPORT_KAFKA_UNAVAILABLE' } })
  await allow()
  t.ok(outcomes(await publish(on, batch)).every(outcome => outcome === 'ok'))
})
