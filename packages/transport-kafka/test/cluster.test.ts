import { randomUUID } from 'node:crypto'
import { type KafkaCluster, launchKafkaCluster, makeTopics, until } from '@steadfast/dev-services'
import type { Delivery, Transport } from '@steadfast/events'
import kafkajs from 'kafkajs'
import t, { type Test } from 'tap'
import { readSettings } from '../src/options.ts'
import { openCluster } from '../src/platformatic/open-cluster.ts'
import { message, publish, QUICK, skip, texts, transport } from './helper.ts'

// a busy machine takes its time
t.setTimeout(300_000)

const PATIENT = { timeoutMs: 60_000 }
const PARTITIONS = 6

/** Sends one message after the other of each key, until it is told to stop; what is not taken is sent again. */
function load(on: Transport, topic: string, keys = 12) {
  const taken = new Map<string, number>()
  let isOver = false
  const sending = Array.from({ length: keys }, async (_, n) => {
    const key = `key-${n}`
    for (let i = 0; !isOver; ) {
      const [result] = await publish(on, [message(topic, key, `${key}:${i}`)])
      if (result?.ok) taken.set(key, ++i)
      else await new Promise(resolve => setTimeout(resolve, 20))
    }
  })
  return {
    taken,
    count: () => [...taken.values()].reduce((sum, count) => sum + count, 0),
    async stop() {
      isOver = true
      await Promise.all(sending)
    }
  }
}

async function read(t: Test, brokers: string[], topic: string, group: string = randomUUID()) {
  const on = transport(t, brokers, { ...QUICK, sessionTimeoutMs: 6000 })
  const seen: Delivery[] = []
  const subscription = await on.subscribe({ group, topics: [topic], maxInFlight: 100 }, delivery => {
    seen.push(delivery)
    delivery.done()
  })
  return { on, seen, subscription, group }
}

/** Each message that was taken is there, and the first arrival of each comes behind that of the one before. */
function checkOrder(t: Test, seen: readonly Delivery[], taken: ReadonlyMap<string, number>): void {
  const first = [...new Set(texts(seen))]
  for (const [key, count] of taken) {
    const ofKey = first.filter(text => text.startsWith(`${key}:`)).map(text => Number(text.split(':')[1]))
    const expected = Array.from({ length: Math.max(count, ofKey.length) }, (_, i) => i)
    t.same(ofKey, expected, `${key}: ${count} were taken`)
  }
}

async function leaderOf(cluster: KafkaCluster, topic: string, partition: number): Promise<number> {
  const admin = new kafkajs.Kafka({ brokers: cluster.brokers, logLevel: kafkajs.logLevel.NOTHING }).admin()
  await admin.connect()
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  await admin.disconnect()
  return topics[0]?.partitions.find(({ partitionId }) => partitionId === partition)?.leader ?? -1
}

async function coordinatorOf({ brokers }: KafkaCluster, group: string): Promise<number> {
  const asking = openCluster(readSettings({ brokers }))
  const coordinator = await asking.coordinator(group)
  await asking.close()
  return coordinator
}

async function topicOn(cluster: KafkaCluster, replicationFactor: number): Promise<string> {
  const admin = new kafkajs.Kafka({ brokers: cluster.brokers, logLevel: kafkajs.logLevel.NOTHING }).admin()
  await admin.connect()
  const topic = `t-${randomUUID()}`
  await makeTopics(admin, [{ topic, numPartitions: PARTITIONS, replicationFactor }])
  await admin.disconnect()
  return topic
}

/** Hurts the cluster while messages are sent and read; then all that was taken has come, in order. `more` waits for more to be taken. */
async function underLoad(
  t: Test,
  cluster: KafkaCluster,
  hurt: (
    topic: string,
    more: (count: number, what: string) => Promise<void>,
    sending: ReturnType<typeof load>
  ) => Promise<void>
): Promise<void> {
  const { brokers } = cluster
  const topic = await topicOn(cluster, 3)
  const { seen, subscription } = await read(t, brokers, topic)
  const sending = load(transport(t, brokers), topic)
  const more = async (count: number, what: string) => {
    const before = sending.count()
    await until(() => sending.count() > before + count, { ...PATIENT, what })
  }
  await more(200, 'load')
  await hurt(topic, more, sending)
  await sending.stop()
  await until(async () => (await subscription.lag()) === 0n, { ...PATIENT, what: 'all to be read' })
  checkOrder(t, seen, sending.taken)
}

t.test('three brokers', { skip, timeout: 280_000 }, async t => {
  const cluster = await launchKafkaCluster()
  t.teardown(() => cluster.stop())
  const { brokers } = cluster

  await t.test('a leader is killed under load, and comes back: nothing is lost, the order of keys is kept', async t => {
    await underLoad(t, cluster, async (topic, more) => {
      const leader = await leaderOf(cluster, topic, 0)
      await cluster.node(leader).kill9()
      await more(200, 'others to lead')
      await cluster.node(leader).restart()
      await more(200, 'more load')
    })
  })

  await t.test(
    'two of three are killed under load: nothing that was taken is lost, and all goes on when they are back',
    async t => {
      await underLoad(t, cluster, async (topic, more, sending) => {
        const leader = await leaderOf(cluster, topic, 0)
        const killed = [leader, (leader % 3) + 1]
        await Promise.all(killed.map(id => cluster.node(id).kill9()))
        const before = sending.count()
        // Two of three must have what is acknowledged; what was on its way may have been.
        await new Promise(resolve => setTimeout(resolve, 2000))
        t.ok(sending.count() - before <= sending.taken.size, `${sending.count() - before} were taken by one of three`)
        await Promise.all(killed.map(id => cluster.node(id).restart()))
        await more(200, 'more load')
      })
    }
  )

  await t.test(
    'all are restarted one after the other under load: nothing is lost, the order of keys is kept',
    async t => {
      await underLoad(t, cluster, async (_topic, more) => {
        for (const id of [1, 2, 3]) {
          await cluster.node(id).restart()
          await more(100, `load after the restart of ${id}`)
        }
      })
    }
  )

  await t.test('a topic that ensureTopics makes has a copy on each, of which two must be there', async t => {
    const on = transport(t, brokers)
    const topic = `t-${randomUUID()}`
    await on.ensureTopics([{ name: topic, partitions: 3 }])
    const [facts] = (await on.describeTopics?.([topic])) ?? []
    const { brokers: count, replicas, minInSync } = facts ?? {}
    t.strictSame({ count, replicas, minInSync }, { count: 3, replicas: 3, minInSync: 2 })
  })

  await t.test('the coordinator is killed: consumption goes on when another one has taken over', async t => {
    const topic = await topicOn(cluster, 3)
    const { seen, subscription, group } = await read(t, brokers, topic)
    const sending = load(transport(t, brokers), topic, 6)
    await until(() => seen.length > 100, { ...PATIENT, what: 'deliveries' })
    const coordinator = await coordinatorOf(cluster, group)
    let lastAt = performance.now()
    let longestMs = 0
    let count = seen.length
    const watching = setInterval(() => {
      if (seen.length === count) return
      longestMs = Math.max(longestMs, performance.now() - lastAt)
      lastAt = performance.now()
      count = seen.length
    }, 20)
    t.teardown(() => clearInterval(watching))
    await cluster.node(coordinator).kill9()
    const before = seen.length
    await until(() => seen.length > before + 300, { ...PATIENT, what: 'deliveries again' })
    await cluster.node(coordinator).restart()
    await sending.stop()
    await until(async () => (await subscription.lag()) === 0n, { ...PATIENT, what: 'all to be read' })
    checkOrder(t, seen, sending.taken)
    // The brokers need three seconds to see that one is gone.
    t.ok(longestMs < 15_000, `the longest gap was ${Math.round(longestMs)} ms`)
    t.comment(`gap ${Math.round(longestMs)} ms`)
  })

  await t.test('a broker that stays away takes its own partitions with it, and no others', async t => {
    const topic = await topicOn(cluster, 1)
    const leaders = await Promise.all(Array.from({ length: PARTITIONS }, (_, n) => leaderOf(cluster, topic, n)))
    const { on: reader, seen } = await read(t, brokers, topic)
    const on = transport(t, brokers)
    await publish(on, [message(topic, 'k', 'first')])
    await until(() => texts(seen).includes('first'), { ...PATIENT, what: 'the first' })
    const dead = leaders[0] as number
    await cluster.node(dead).kill9()
    const keys = Array.from({ length: 60 }, (_, n) => `key-${n}`)
    let results = await publish(
      on,
      keys.map(key => message(topic, key, `${key}:a`))
    )
    const isDone = async () => {
      results = await publish(
        on,
        keys.map(key => message(topic, key, `${key}:b`))
      )
      return results.some(({ ok }) => ok)
    }
    await until(isDone, { ...PATIENT, what: 'the living to take theirs' })
    const ok = results.filter(({ ok }) => ok).length
    const expected = leaders.filter(leader => leader !== dead).length / PARTITIONS
    t.ok(ok >= keys.length * expected * 0.5, `${ok} of ${keys.length} were taken`)
    for (const result of results) if (!result.ok) t.equal(result.kind, 'unavailable')
    await until(() => texts(seen).filter(text => text.endsWith(':b')).length >= ok, { ...PATIENT, what: 'to be read' })
    await until(() => /partition/.test(reader.health().reason ?? ''), { ...PATIENT, what: 'health to name partitions' })
    t.match(reader.health().reason, new RegExp(topic))
    await cluster.node(dead).restart()
    await until(() => reader.health().ready, { ...PATIENT, what: 'health' })
  })
})
