import { randomUUID } from 'node:crypto'
import { testKafka, until } from '@steadfast/dev-services'
import type { Delivery } from '@steadfast/events'
import kafkajs, { type Producer, type Transaction } from 'kafkajs'
import t, { type Test } from 'tap'
import { newTopic, texts, transport } from './helper.ts'

const kafka = testKafka(t)
const shared = { skip: kafka ? false : 'no Kafka: Java ≥ 17 and Maven needed' } as const
const brokers = kafka?.brokers ?? []

// a busy machine takes its time
t.setTimeout(120_000)

async function producer(t: Test): Promise<Producer> {
  const made = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).producer({
    transactionalId: randomUUID(),
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner
  })
  await made.connect()
  t.teardown(() => made.disconnect())
  return made
}

// Keys as markers of transactions have them: version and kind, in 16 bits each.
const send = (to: Producer | Transaction, topic: string, ...values: string[]) =>
  to.send({ topic, messages: values.map((value, i) => ({ key: Buffer.from([0, 0, 0, i % 2]), value })) })

async function read(t: Test, topic: string) {
  const on = transport(t, brokers)
  const seen: Delivery[] = []
  const subscription = await on.subscribe({ group: randomUUID(), topics: [topic], maxInFlight: 1000 }, delivery => {
    seen.push(delivery)
    delivery.done()
  })
  return { on, seen, subscription }
}

t.test('of a producer that aborts twice within one fetch only what was committed is delivered', shared, async t => {
  const topic = await newTopic(transport(t, brokers))
  const [one, two] = [await producer(t), await producer(t)]
  for (const [values, isCommitted] of [
    [['a1', 'a2'], false],
    [['b1', 'b2'], true],
    [['c1'], false],
    [['d1', 'd2'], true]
  ] as const) {
    const transaction = await one.transaction()
    await send(transaction, topic, ...values)
    await (isCommitted ? transaction.commit() : transaction.abort())
  }
  // Two that lie between each other.
  const [aborted, committed] = [await one.transaction(), await two.transaction()]
  await send(aborted, topic, 'e1')
  await send(committed, topic, 'f1')
  await send(aborted, topic, 'e2')
  await send(committed, topic, 'f2')
  await aborted.abort()
  await committed.commit()
  const { seen, subscription } = await read(t, topic)
  await until(() => texts(seen).includes('f2'), { what: 'the last' })
  t.same(texts(seen), ['b1', 'b2', 'd1', 'd2', 'f1', 'f2'])
  await until(async () => (await subscription.lag()) === 0n, { what: 'markers are no lag' })
})

t.test('an open transaction keeps what is behind it; ends and lag are of what can be read', shared, async t => {
  const topic = await newTopic(transport(t, brokers))
  const [one, plain] = [await producer(t), await producer(t)]
  const first = await plain.transaction()
  await send(first, topic, 'a')
  await first.commit()
  const open = await one.transaction()
  await send(open, topic, 'b')
  const behind = await plain.transaction()
  await send(behind, topic, 'c')
  await behind.commit()
  const { seen, subscription } = await read(t, topic)
  await until(() => texts(seen).includes('a'), { what: 'what was before' })
  await until(async () => (await subscription.lag()) === 0n, { what: 'nothing that can be read is left' })
  const end = await subscription.end()
  t.equal(await subscription.lag(end), 0n)
  t.same(texts(seen), ['a'])
  await open.abort()
  await until(() => texts(seen).includes('c'), { what: 'what was behind' })
  t.same(texts(seen), ['a', 'c'])
  await until(async () => (await subscription.lag()) === 0n, { what: 'no lag' })
})

t.test('a rewind into the middle of a transaction', shared, async t => {
  const topic = await newTopic(transport(t, brokers))
  const one = await producer(t)
  const aborted = await one.transaction()
  await send(aborted, topic, 'a1', 'a2', 'a3')
  await aborted.abort()
  const committed = await one.transaction()
  await send(committed, topic, 'b1', 'b2', 'b3')
  await committed.commit()
  const { seen, subscription } = await read(t, topic)
  await until(() => seen.length === 3, { what: 'all' })
  await until(async () => (await subscription.lag()) === 0n, { what: 'no lag' })
  const middle = seen[1]?.timestamp ?? new Date()
  await subscription.rewind(middle)
  await until(() => seen.length > 3 && texts(seen).at(-1) === 'b3', { what: 'again' })
  t.notOk(texts(seen).some(text => text.startsWith('a')))
})
