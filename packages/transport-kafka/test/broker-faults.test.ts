import { randomUUID } from 'node:crypto'
import { until } from '@steadfast/dev-services'
import type { Delivery } from '@steadfast/events'
import t from 'tap'
import { brokerError } from '../src/broker-error.ts'
import { ensureTopics } from '../src/ensure-topics.ts'
import { readSettings } from '../src/options.ts'
import { openCluster } from '../src/platformatic/open-cluster.ts'
import { createTopicInfos } from '../src/topic-info.ts'
import {
  brokerBehindProxy,
  IMPATIENT,
  message,
  messages,
  newTopic,
  outcomes,
  publish,
  skip,
  store,
  texts,
  transport
} from './helper.ts'

t.test('a broker and its network', { skip, timeout: 120_000 }, async t => {
  const { broker, proxy, brokers } = await brokerBehindProxy(t)

  await t.test('a lost acknowledgement is unknown, and the message was stored', async t => {
    const on = transport(t, brokers, IMPATIENT)
    const topic = await newTopic(on)
    await store(on, [message(topic, 'k', 'm0')])
    proxy.blackhole('to-client')
    const results = await publish(
      on,
      messages(topic, 3, () => 'k')
    )
    t.same(outcomes(results), ['unknown', 'unknown', 'unknown'])
    t.match(results[0], { error: { code: 'SF_TRANSPORT_KAFKA_UNKNOWN' } })
    t.equal(on.health().ready, false)
    await proxy.restore()
    await until(() => on.health().ready, { what: 'health' })
    await store(on, [message(topic, 'k', 'after')])
    const seen: Delivery[] = []
    await on.subscribe({ group: randomUUID(), topics: [topic], maxInFlight: 10 }, delivery => seen.push(delivery))
    await until(() => texts(seen).includes('after'), { what: 'the last message' })
    t.match(texts(seen).join(' '), /^(m0 )+m0 m1 m2 after$/)
  })

  await t.test('a connection reset in mid-send settles at once', async t => {
    const on = transport(t, brokers, { requestTimeoutMs: 20_000 })
    const topic = await newTopic(on)
    await store(on, [message(topic, 'k', 'm')])
    proxy.blackhole('to-client')
    const sending = publish(on, [message(topic, 'k', 'm')])
    await until(() => proxy.swallowedBytes > 0, { what: 'the answer on its way' })
    proxy.dropConnections()
    await proxy.restore()
    t.same(outcomes(await sending), ['unknown'])
    await until(async () => outcomes(await publish(on, [message(topic, 'k', 'm')]))[0] === 'ok', { what: 'recovery' })
  })

  await t.test('a stopped broker: publishing is bounded in time, by itself and by the signal', async t => {
    const on = transport(t, brokers, IMPATIENT)
    const topic = await newTopic(on)
    await store(on, [message(topic, 'k', 'm')])
    await broker.pause()
    try {
      t.same(outcomes(await publish(on, [message(topic, 'k', 'm')])), ['unknown'])
      const controller = new AbortController()
      const sending = on.publish([message(topic, 'k', 'm')], controller.signal)
      setImmediate(() => controller.abort())
      t.not(outcomes(await sending)[0], 'ok')
      t.same(
        outcomes(await publish(on, [message(topic, 'k', 'm')])),
        ['unavailable'],
        'nobody answers a new connection'
      )
      t.equal(on.health().ready, false)
    } finally {
      broker.resume()
    }
    await until(async () => outcomes(await publish(on, [message(topic, 'k', 'm')]))[0] === 'ok', { what: 'recovery' })
    await until(() => on.health().ready, { what: 'health' })
  })

  await t.test('no broker answers how many there are: a coded error', async t => {
    const logger = { debug() {}, info() {}, warn() {}, error() {} }
    const settings = readSettings({ brokers, ...IMPATIENT })
    const cluster = openCluster(settings)
    t.teardown(() => cluster.close())
    const infos = createTopicInfos(cluster, settings, logger)
    const name = `t-${randomUUID()}`
    const create = (on = cluster) => ensureTopics({ cluster: on, infos, settings, logger }, [{ name, partitions: 1 }])
    const thenSilent = {
      ...cluster,
      countBrokers() {
        proxy.blackhole('to-client')
        return cluster.countBrokers()
      }
    }
    await t.rejects(create(thenSilent), { code: 'SF_TRANSPORT_KAFKA_NO_ANSWER', statusCode: 503 })
    await proxy.restore()
    await create()
    t.equal((await infos.load(name)).partitions, 1)
  })

  await t.test('a topic is made when its leaders know that they lead', async t => {
    const settings = readSettings({ brokers, ...IMPATIENT })
    const cluster = openCluster(settings)
    t.teardown(() => cluster.close())
    const logger = { debug() {}, info() {}, warn() {}, error() {} }
    let asked = 0
    const slow = {
      ...cluster,
      async offsets(...args: Parameters<typeof cluster.offsets>) {
        if (++asked <= 2) throw brokerError('NOT_LEADER_OR_FOLLOWER')
        return await cluster.offsets(...args)
      }
    }
    const infos = createTopicInfos(slow, settings, logger)
    await ensureTopics({ cluster: slow, infos, settings, logger }, [{ name: `t-${randomUUID()}`, partitions: 3 }])
    t.equal(asked, 3)
  })

  await t.test('kill -9 and restart: producer and subscription recover, offsets are kept', async t => {
    const on = transport(t, brokers, IMPATIENT)
    const topic = await newTopic(on, 3)
    const seen: Delivery[] = []
    const subscription = await on.subscribe({ group: randomUUID(), topics: [topic], maxInFlight: 10 }, delivery => {
      seen.push(delivery)
      delivery.done()
    })
    await store(on, messages(topic, 20))
    await until(() => seen.length >= 20, { what: 'the first messages' })
    await until(async () => (await subscription.lag()) === 0n, { what: 'lag 0' })
    const before = new Set(seen.map(({ position }) => position))
    t.equal(before.size, seen.length)
    await broker.kill9()
    const failed = await publish(on, [message(topic, 'k', 'lost')])
    t.not(outcomes(failed)[0], 'ok')
    await until(() => !on.health().ready, { what: 'health to fail' })
    await broker.restart()
    await until(async () => outcomes(await publish(on, [message(topic, 'k', 'later')]))[0] === 'ok', {
      what: 'recovery'
    })
    await until(() => texts(seen).includes('later'), { what: 'the delivery after the restart' })
    const again = seen.slice(before.size).filter(({ position }) => before.has(position))
    t.same(texts(again), [], 'what was committed does not come again')
    await until(() => on.health().ready, { what: 'health' })
  })

  await t.test('a consumer whose connection is silent is found and rebuilt', async t => {
    const on = transport(t, brokers, { requestTimeoutMs: 8000, sessionTimeoutMs: 1500, heartbeatIntervalMs: 300 })
    const topic = await newTopic(on)
    const seen: Delivery[] = []
    await on.subscribe({ group: randomUUID(), topics: [topic], maxInFlight: 10 }, delivery => {
      seen.push(delivery)
      delivery.done()
    })
    proxy.blackhole('both')
    await until(() => /no heartbeat/.test(on.health().reason ?? ''), { what: 'the watchdog' })
    await proxy.restore()
    await until(() => on.health().ready, { what: 'health' })
    await store(on, [message(topic, 'k', 'after')])
    await until(() => texts(seen).includes('after'), { what: 'the delivery' })
  })
})
