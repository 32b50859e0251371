import { AUTHORIZER, denyWriting } from '@steadfast/dev-services/kafka-acl'
import { transportCompliance } from '@steadfast/events/compliance'
import kafkajs from 'kafkajs'
import t from 'tap'
import * as onPlatformatic from '../src/index.ts'
import * as onKafkajs from '../src/kafkajs/index.ts'
import { brokerBehindProxy, IMPATIENT, skip } from './helper.ts'

// a busy machine takes its time
t.setTimeout(300_000)

for (const [name, { createKafkaTransport }] of Object.entries({ onPlatformatic, onKafkajs }))
  t.test(`Transport ${name}`, { skip, timeout: 280_000 }, async t => {
    const { proxy, brokers } = await brokerBehindProxy(t, AUTHORIZER)
    const options = { brokers, ...IMPATIENT }
    const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin()
    await admin.connect()
    t.teardown(() => admin.disconnect())

    const producer = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).producer({
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner
    })
    await producer.connect()
    t.teardown(() => producer.disconnect())

    await transportCompliance(t, () => ({
      create: () => createKafkaTransport(options),
      child: { module: new URL('./compliance-client.ts', import.meta.url).href, args: { name, options } },
      async foreign(topic, records) {
        await producer.send({ topic, messages: [...records] })
      },
      faults: {
        // Over max.message.bytes of a new topic, 1 048 588.
        oversizeBytes: 1_100_000,
        async loseAcknowledgements() {
          proxy.blackhole('to-client')
          return () => proxy.restore()
        },
        async away() {
          await proxy.cut()
          return () => proxy.restore()
        },
        async failPartition(topic) {
          return denyWriting(admin, topic)
        }
      }
    }))
  })
