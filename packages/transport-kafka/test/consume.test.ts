import { randomUUID } from 'node:crypto'
import { matchWhole, testKafka, until } from '@steadfast/dev-services'
import type { Delivery } from '@steadfast/events'
import kafkajs from 'kafkajs'
import t from 'tap'
import { message, messages, newTopic, publish, texts, transport } from './helper.ts'

const kafka = testKafka(t)
const shared = { skip: kafka ? false : 'no Kafka: Java ≥ 17 and Maven needed' } as const
const brokers = kafka?.brokers ?? []

t.test('a message without key, without value, with repeated headers, of bytes that are no JSON', shared, async t => {
  const on = transport(t, brokers)
  const topic = await newTopic(on)
  const producer = new kafkajs.Kafka({ brokers }).producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner
  })
  await producer.connect()
  // kafkajs writes what is no text and no bytes as nothing.
  const headers = { twice: ['a', 'b'], constructor: 'c', empty: '' }
  await producer.send({
    topic,
    messages: [
      { value: null },
      { key: 'k', value: '' },
      { key: 'k', value: '{"broken": ', headers },
      { key: Buffer.from([0xff]), value: 'last' }
    ]
  })
  await producer.disconnect()
  const seen: Delivery[] = []
  await on.subscribe({ group: randomUUID(), topics: [topic], maxInFlight: 10 }, delivery => {
    seen.push(delivery)
    delivery.done()
    // Whoever parses inside gets the error on its own side; here it must not stop the consumer.
    JSON.parse(delivery.raw.toString())
  })
  await until(() => seen.length === 4, { what: 'four deliveries' })
  t.notOk('key' in (seen[0] ?? {}))
  t.strictSame(
    seen.map(({ raw, hasNoValue }) => [raw.toString(), hasNoValue]),
    [
      ['', true],
      ['', false],
      ['{"broken": ', false],
      ['last', false]
    ]
  )
  const read = Object.entries(seen[2]?.headers ?? {}).map(([name, value]) => [name, value.toString()])
  t.strictSame(read.sort(), [
    ['constructor', 'c'],
    ['empty', ''],
    ['twice', 'b']
  ])
  await publish(on, [message(topic, 'k', '"good"')])
  await until(() => seen.length === 5, { what: 'the consumer to go on' })
})

t.test('a slow handler keeps its membership while nothing else has room', shared, async t => {
  const on = transport(t, brokers, { sessionTimeoutMs: 1500, heartbeatIntervalMs: 300 })
  const other = transport(t, brokers)
  const topic = await newTopic(on, 2)
  await publish(on, messages(topic, 10))
  const seen: Delivery[] = []
  const subscription = await on.subscribe({ group: randomUUID(), topics: [topic], maxInFlight: 1 }, delivery => {
    seen.push(delivery)
  })
  await until(() => seen.length === 1, { what: 'the first delivery' })
  const start = Date.now()
  // Time itself is the fault here: longer than the session.
  await until(() => Date.now() - start > 2500, { what: 'more than a session time-out' })
  t.equal(seen.length, 1)
  t.equal(on.health().ready, true)
  let done = 0
  await until(
    () => {
      while (done < seen.length) seen[done++]?.done()
      return done === 10
    },
    { what: 'the rest' }
  )
  t.equal(new Set(texts(seen)).size, 10)
  await until(async () => (await subscription.lag()) === 0n, { what: 'lag 0' })
  await other.close(0)
})

t.test('a topic that appears later is joined; those that exist are consumed meanwhile', shared, async t => {
  const on = transport(t, brokers)
  const there = await newTopic(on)
  const later = `later-${randomUUID()}`
  const seen: string[] = []
  const onDelivery = (delivery: Delivery) => {
    seen.push(delivery.raw.toString())
    delivery.done()
  }
  await on.subscribe({ group: randomUUID(), topics: [there, later], maxInFlight: 10 }, onDelivery)
  await on.subscribe({ group: randomUUID(), topics: [later], maxInFlight: 10 }, onDelivery)
  await publish(on, [message(there, 'k', 'there')])
  await until(() => seen.includes('there'), { what: 'the topic that exists' })
  t.match(on.health(), { ready: false, reason: /does not exist/ })
  await on.ensureTopics([{ name: later, partitions: 1 }])
  await publish(on, [message(later, 'k', 'later')])
  await until(() => seen.filter(text => text === 'later').length === 2, { what: 'the topic that appeared' })
  await until(() => on.health().ready, { what: 'health' })
})

t.test('two members: every message is seen, both take part, acknowledged ones come once', shared, async t => {
  const first = transport(t, brokers)
  const second = transport(t, brokers)
  const topic = await newTopic(first, 4)
  const group = randomUUID()
  const seen: [Set<string>, Set<string>] = [new Set(), new Set()]
  let twice = 0
  const take = (mine: Set<string>) => (delivery: Delivery) => {
    const text = delivery.raw.toString()
    if (seen[0].has(text) || seen[1].has(text)) twice++
    mine.add(text)
    setImmediate(() => delivery.done())
  }
  const total = 2000
  const batch = messages(topic, total)
  await publish(first, batch.slice(0, 500))
  await first.subscribe({ group, topics: [topic], maxInFlight: 50 }, take(seen[0]))
  await until(() => seen[0].size > 100, { what: 'the first member to work' })
  const joining = second.subscribe({ group, topics: [topic], maxInFlight: 50 }, take(seen[1]))
  for (let i = 500; i < total; i += 100) await publish(first, batch.slice(i, i + 100))
  const membership = await joining
  // The first member may have had all of it before the second one's share was given up.
  let more = 0
  await until(
    async () => {
      const values = Array.from({ length: 100 }, () => Buffer.from(`o${more++}`))
      await publish(
        first,
        messages(topic, 100, i => `other-${i}`).map((m, i) => ({ ...m, value: values[i] ?? m.value }))
      )
      return seen[1].size > 0
    },
    { what: 'the second member to take part' }
  )
  await until(() => new Set([...seen[0], ...seen[1]]).size === total + more, { what: 'every message' })
  t.comment(`${twice} came twice`)
  await membership.close(1000)
  const rest = messages(topic, 40, i => `rest-${i}`).map((m, i) => ({ ...m, value: Buffer.from(`r${i}`) }))
  await publish(first, rest)
  await until(() => rest.every(({ value }) => seen[0].has(value.toString())), {
    what: 'the first member to own all again'
  })
})

t.test('rewind without membership is an error that says so', shared, async t => {
  const on = transport(t, brokers)
  const subscription = await on.subscribe({ group: 'g', topics: [`none-${randomUUID()}`], maxInFlight: 1 }, () => {})
  await t.rejects(subscription.rewind('beginning'), { code: 'SF_TRANSPORT_KAFKA_NOT_JOINED' })
})

t.test('messages that retention took before the group read them are reported as an error', shared, async t => {
  const errors: string[] = []
  const logger = { debug() {}, info() {}, warn() {}, error: (_: object, text: string) => errors.push(text) }
  const on = transport(t, brokers, { logger })
  const topic = await newTopic(on)
  const group = randomUUID()
  await publish(on, messages(topic, 10))
  const seen: Delivery[] = []
  const first = await on.subscribe({ group, topics: [topic], maxInFlight: 3 }, delivery => seen.push(delivery))
  await until(() => seen.length === 3, { what: 'three deliveries' })
  for (const delivery of seen) delivery.done()
  await first.close(1000)
  const admin = new kafkajs.Kafka({ brokers }).admin()
  await admin.connect()
  t.teardown(() => admin.disconnect())
  await admin.fetchTopicOffsets(topic)
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '8' }] })
  const rest: Delivery[] = []
  await on.subscribe({ group, topics: [topic], maxInFlight: 10 }, delivery => rest.push(delivery))
  await until(() => rest.length === 2, { what: 'what is left' })
  t.same(texts(rest), ['m8', 'm9'])
  matchWhole(t, errors, [/Offset out of range/])
})
