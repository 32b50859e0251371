import { existsSync } from 'node:fs'
import { Kafka, logLevel, Partitioners } from 'kafkajs'
import t from 'tap'
import { launchKafka, makeTopics, matchWhole, testKafka } from '../src/index.ts'

const kafka = testKafka(t)
const skip = kafka ? false : 'no Kafka: Java ≥ 17 and Maven needed'

const clientOf = (brokers: string[]) => new Kafka({ brokers, logLevel: logLevel.NOTHING, retry: { retries: 20 } })

t.test('comes back after SIGKILL with its messages, and takes its directory with it', { skip }, async t => {
  const broker = await launchKafka()
  const first = broker.pid
  const admin = clientOf(broker.brokers).admin()
  const producer = clientOf(broker.brokers).producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await Promise.all([admin.connect(), producer.connect()])
  await makeTopics(admin, [{ topic: 'thing', numPartitions: 1 }])
  await producer.send({ topic: 'thing', acks: -1, messages: [{ value: 'one' }, { value: 'two' }] })
  await broker.kill9()
  await broker.restart()
  t.not(broker.pid, first)
  matchWhole(t, await admin.fetchTopicOffsets('thing'), [{ high: '2' }])
  await Promise.all([admin.disconnect(), producer.disconnect()])
  await broker.stop()
  t.notOk(existsSync(broker.dir))
  t.throws(() => process.kill(broker.pid, 0), { code: 'ESRCH' })
})

t.test('with users, only they are let in', { skip }, async t => {
  const broker = await launchKafka({ users: { ann: 'password of ann' } })
  t.teardown(() => broker.stop())
  const connect = async (password?: string) => {
    const sasl = password === undefined ? {} : { sasl: { mechanism: 'plain' as const, username: 'ann', password } }
    const options = { brokers: broker.brokers, logLevel: logLevel.NOTHING, retry: { retries: 0 }, requestTimeout: 5000 }
    const admin = new Kafka({ ...options, ...sasl }).admin()
    t.teardown(() => admin.disconnect())
    await admin.connect()
    return admin.listTopics()
  }
  t.strictSame(await connect('password of ann'), [])
  await t.rejects(connect('password of bob'), { name: 'KafkaJSSASLAuthenticationError' })
  await t.rejects(connect())
})

t.test('says why it cannot start', { skip }, async t => {
  await t.rejects(launchKafka({ properties: { 'broker.session.timeout.ms': 'soon' } }), { message: /Not a number/ })
})
