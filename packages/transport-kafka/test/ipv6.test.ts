import { randomUUID } from 'node:crypto'
import { networkInterfaces } from 'node:os'
import { freePort, launchKafka, until } from '@steadfast/dev-services'
import type { Delivery } from '@steadfast/events'
import t from 'tap'
import { createKafkaTransport } from '../src/index.ts'
import { createKafkaTransport as createOnKafkajs } from '../src/kafkajs/index.ts'
import { messages, QUICK, skip, store, texts } from './helper.ts'

// a busy machine takes its time
t.setTimeout(120_000)

const addresses = Object.values(networkInterfaces()).flatMap(found => found ?? [])
const hasIpv6 = addresses.some(({ address }) => address === '::1')
const shared = { skip: skip || (hasIpv6 ? false : 'this machine has no IPv6') } as const

t.test('a broker that has an address of IPv6 alone', shared, async t => {
  const [plain, six, inner, controller] = await Promise.all([freePort(), freePort(), freePort(), freePort()])
  const broker = await launchKafka({
    port: plain,
    properties: {
      'controller.quorum.voters': `1@127.0.0.1:${controller}`,
      listeners: `CLIENT://127.0.0.1:${plain},SIX://[::1]:${six},INNER://127.0.0.1:${inner},CONTROLLER://127.0.0.1:${controller}`,
      'advertised.listeners': `CLIENT://127.0.0.1:${plain},SIX://[::1]:${six},INNER://127.0.0.1:${inner}`,
      'listener.security.protocol.map': 'CLIENT:PLAINTEXT,SIX:PLAINTEXT,INNER:PLAINTEXT,CONTROLLER:PLAINTEXT'
    }
  })
  t.teardown(() => broker.stop())
  const on = createKafkaTransport({ brokers: [`[::1]:${six}`], ...QUICK })
  t.teardown(() => on.close(100))
  const topic = randomUUID()
  await on.ensureTopics([{ name: topic, partitions: 3 }])
  const sent = messages(topic, 20)
  await store(on, sent)
  const seen: Delivery[] = []
  await on.subscribe({ group: randomUUID(), topics: [topic], maxInFlight: 10 }, delivery => {
    seen.push(delivery)
    delivery.done()
  })
  await until(() => seen.length === 20, { what: 'all of them' })
  t.strictSame(texts(seen).sort(), sent.map(({ value }) => value.toString()).sort())
})

t.test('kafkajs takes no such address, and says so', async t => {
  t.throws(() => createOnKafkajs({ brokers: ['[::1]:9092'] }), {
    code: 'SF_OPTIONS_INVALID',
    message: /no addresses of IPv6/
  })
})
