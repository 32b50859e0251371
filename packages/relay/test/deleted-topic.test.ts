import { makeTopics, testKafka, until } from '@steadfast/dev-services'
import type { Delivery, PublishResult } from '@steadfast/events'
import { createKafkaTransport } from '@steadfast/transport-kafka'
import kafkajs, { type Admin } from 'kafkajs'
import t, { type Test } from 'tap'
import { type BatchSent, batchSent } from '../src/channels.ts'
import { database, event, server } from './helper.ts'

// a busy machine takes its time
t.setTimeout(300_000)

const kafka = testKafka(t)
const PATIENT = { timeoutMs: 60_000 }
const KEYS = ['k0', 'k1', 'k2', 'k3', 'k4']
const many = (count: number, topic: string) =>
  Array.from({ length: count }, (_, n) => event({ topic, key: `k${n % KEYS.length}` }))

const isMissing = (admin: Admin, topic: string) =>
  admin.fetchTopicMetadata({ topics: [topic] }).then(
    () => false,
    (error: Error & { type?: string }) => error.type === 'UNKNOWN_TOPIC_OR_PARTITION'
  )

/** What the transport said of each event of a topic, and when. */
function answersOf(t: Test, topic: string) {
  const answers: { id: string; at: number; result: PublishResult }[] = []
  const sent = (message: unknown) => {
    const { events, results } = message as BatchSent
    const at = performance.now()
    for (const [i, event] of events.entries())
      if (event.topic === topic) answers.push({ id: event.id, at, result: results[i] as PublishResult })
  }
  batchSent.subscribe(sent)
  t.teardown(() => batchSent.unsubscribe(sent))
  return answers
}

const partitionOf = (key: string, count: number): number =>
  kafkajs.Partitioners.DefaultPartitioner()({
    topic: '',
    partitionMetadata: Array.from({ length: count }, (_, partitionId) => ({ partitionId, leader: 1 }) as never),
    message: { key, value: null }
  })

t.test(
  'a topic is deleted under a running relay: its events wait and others go on; when it is made again all are sent, in order',
  { skip: kafka ? false : 'no Kafka: Java ≥ 17 and Maven needed' },
  async t => {
    const { brokers } = kafka as { brokers: string[] }
    const { url, write, rows } = await database(t)
    const run = `${process.pid}.${Date.now()}`
    const [doomed, other] = [`doomed.${run}`, `other.${run}`]
    const transport = createKafkaTransport({ brokers })
    t.teardown(() => transport.close(1000))
    await transport.ensureTopics([doomed, other].map(name => ({ name, partitions: 1 })))
    const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin()
    await admin.connect()
    t.teardown(() => admin.disconnect())
    const toDoomed = answersOf(t, doomed)
    const toOther = answersOf(t, other)
    const app = await server(t, url, transport, { schedule: true, pollIntervalMs: 10 })
    const waiting = async () => (await rows(`due and topic = '${doomed}'`)).length
    const due = async () => (await rows('due')).length

    await write([...many(20, doomed), ...many(20, other)])
    await until(async () => (await due()) === 0, { ...PATIENT, what: 'both topics to take events' })
    await admin.deleteTopics({ topics: [doomed] })
    await until(() => isMissing(admin, doomed), { ...PATIENT, what: 'the topic to be gone' })
    toDoomed.length = 0

    const stuck = many(30, doomed)
    await write([...stuck, ...many(20, other)])
    for (let round = 0; round < 5; round++) {
      await write(many(20, other))
      await until(async () => (await due()) === 30, { ...PATIENT, what: 'the others to be sent' })
    }
    await until(async () => (await rows('failing_since is not null')).length === 30, PATIENT)
    await until(() => new Set(toDoomed.map(({ at }) => at)).size >= 5, { ...PATIENT, what: 'some probes' })
    t.same(
      [...new Set(toDoomed.map(({ result }) => (result.ok ? 'ok' : `${result.kind}, ${result.about}`)))],
      ['unavailable, topic']
    )
    t.ok(toDoomed.every(({ result }) => !result.ok && result.error.message.includes(doomed)))
    t.equal(await waiting(), 30)
    const told = await rows(`topic = '${doomed}' and due`)
    t.ok(
      told.every(
        row =>
          String(row.last_error).startsWith(`Topic ${doomed} cannot be published to: `) &&
          row.failing_since !== null &&
          row.topic_unavailable_since !== null &&
          row.count === 0
      )
    )
    const { ready, topics } = app.relay.health()
    t.equal(ready, true)
    t.same(
      topics?.map(({ topic, unavailable }) => ({ topic, unavailable })),
      [{ topic: doomed, unavailable: true }]
    )
    const times = [...new Set(toDoomed.map(({ at }) => at))].slice(0, 5)
    const gaps = times.slice(1).map((at, n) => at - (times[n] as number))
    t.ok(
      gaps.every((gap, n) => gap > 50 * 2 ** n - 5),
      `it is asked after pauses that double: ${gaps.map(Math.round)} ms`
    )
    t.equal(toOther.filter(({ result }) => !result.ok).length, 0, 'nothing of the other topic failed')

    // With more partitions than it had: what was known of the old one says nothing of the new one.
    await makeTopics(admin, [{ topic: doomed, numPartitions: 4 }])
    await until(async () => (await due()) === 0, { ...PATIENT, what: 'what waited to be sent' })
    t.equal((await rows(`status <> 'PUBLISHED' or count <> 1 or failing_since is not null`)).length, 0)
    await until(() => app.relay.health().topics === undefined, PATIENT)

    const reader = createKafkaTransport({ brokers })
    t.teardown(() => reader.close(1000))
    const read: Delivery[] = []
    await reader.subscribe({ group: `reader.${run}`, topics: [doomed], maxInFlight: 1000 }, delivery => {
      read.push(delivery)
      delivery.done()
    })
    const ids = () => new Set(read.map(({ headers }) => String(headers.ce_id)))
    await until(() => ids().size >= 30, { ...PATIENT, what: 'the new topic to be read' })
    for (const key of KEYS) {
      const ofKey = read.filter(delivery => String(delivery.key) === key)
      t.same(
        [...new Set(ofKey.map(({ headers }) => String(headers.ce_id)))],
        stuck.filter(sent => sent.key === key).map(({ id }) => id)
      )
      t.same([...new Set(ofKey.map(({ position }) => position.split(':')[0]))], [String(partitionOf(key, 4))])
    }
  }
)
