import { randomUUID } from 'node:crypto'
import { testKafka, until } from '@steadfast/dev-services'
import Fastify from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import kafkaTransport, { createKafkaTransport } from '../src/index.ts'
import { message, outcomes, publish, QUICK } from './helper.ts'

const kafka = testKafka(t)
const shared = { skip: kafka ? false : 'no Kafka: Java ≥ 17 and Maven needed' } as const
const brokers = kafka?.brokers ?? []

t.test('the transport outlives the plugins that use it', shared, async t => {
  const app = Fastify()
  const topic = `t-${randomUUID()}`
  const order: string[] = []
  await app.register(kafkaTransport, { brokers, ...QUICK })
  await app.register(
    fp(
      async fastify => {
        fastify.addHook('onClose', async () => {
          const results = await publish(fastify.transport, [message(topic, 'k', 'last words')])
          order.push(`user closed: ${outcomes(results)}`)
        })
        fastify.addHook('preClose', async () => void order.push('user stopped'))
      },
      { name: 'user', dependencies: ['@steadfast/transport-kafka'] }
    )
  )
  await app.ready()
  await app.transport.ensureTopics([{ name: topic, partitions: 1 }])
  const seen: string[] = []
  await app.transport.subscribe({ group: randomUUID(), topics: [topic], maxInFlight: 1 }, delivery => {
    seen.push(delivery.raw.toString())
    delivery.done()
  })
  t.same(outcomes(await publish(app.transport, [message(topic, 'k', 'm')])), ['ok'])
  await until(() => seen.includes('m'), { what: 'the delivery' })
  const { transport } = app
  await app.close()
  t.same(order, ['user stopped', 'user closed: ok'])
  t.match(transport.health(), { ready: false, reason: 'closed' })
  t.same(outcomes(await publish(transport, [message(topic, 'k', 'm')])), ['unavailable'])
  await t.rejects(transport.ensureTopics([]), { code: 'SF_TRANSPORT_KAFKA_CLOSED' })
})

t.test('options are checked, misspellings named', async t => {
  t.throws(() => createKafkaTransport({ brokers: ['b'], cleintId: 'x' } as never), {
    code: 'SF_OPTIONS_INVALID',
    message: /clientId/
  })
  t.throws(() => createKafkaTransport({ brokers: [] }), { code: 'SF_OPTIONS_INVALID' })
  for (const wrong of [
    { logger: {} },
    { sasl: null },
    { ssl: 7 },
    { requestTimeoutMs: 2 ** 31 - 1 },
    { heartbeatIntervalMs: 30_000 }
  ]) {
    const app = Fastify()
    const [name = ''] = Object.keys(wrong)
    app.register(kafkaTransport, { brokers: ['b'], ...wrong } as never)
    await t.rejects(async () => app.ready(), { code: 'SF_OPTIONS_INVALID', message: `option "${name}"` })
    await app.close()
  }
})

t.test('nobody there: boot, publish and subscribe go on, health tells', async t => {
  const on = createKafkaTransport({ brokers: ['127.0.0.1:1'], ...QUICK })
  t.teardown(() => on.close(0))
  t.same(outcomes(await publish(on, [message('t', 'k', 'm')])), ['unavailable'])
  const subscription = await on.subscribe({ group: 'g', topics: ['t'], maxInFlight: 1 }, () => {})
  t.match(on.health(), { ready: false, reason: /ECONNREFUSED/ })
  await t.rejects(subscription.lag())
  await subscription.close(0)
})
