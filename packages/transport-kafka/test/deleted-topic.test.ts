import { until } from '@steadfast/dev-services'
import kafkajs from 'kafkajs'
import t from 'tap'
import { about, brokerBehindProxy, message, newTopic, outcomes, publish, skip, store, transport } from './helper.ts'

// a busy machine takes its time
t.setTimeout(300_000)

t.test(
  'a topic that vanished while the connection was lost fails its own messages, and no others',
  { skip },
  async t => {
    const { proxy, brokers } = await brokerBehindProxy(t)
    const on = transport(t, brokers)
    const [gone, there] = [await newTopic(on), await newTopic(on)]
    await store(on, [message(gone, 'k', 'm0'), message(there, 'k', 'm0')])
    const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin()
    await admin.connect()
    t.teardown(() => admin.disconnect())
    await admin.deleteTopics({ topics: [gone] })
    const isGone = () =>
      admin.fetchTopicMetadata({ topics: [gone] }).then(
        () => false,
        (error: Error & { type?: string }) => error.type === 'UNKNOWN_TOPIC_OR_PARTITION'
      )
    await until(isGone, { what: 'the topic to be gone' })

    proxy.dropConnections()
    const lost = async () => outcomes(await publish(on, [message(there, 'k', 'm1')]))[0] !== 'ok'
    await until(lost, { what: 'the lost connection to be found' })
    const isKnown = () =>
      on.ensureTopics([{ name: there, partitions: 1 }]).then(
        () => true,
        () => false
      )
    await until(isKnown, { what: 'the broker to be found again' })
    // What is known of the missing topic is old, and the new connection knows of no broker yet.
    const results = await publish(on, [message(gone, 'k', 'm1'), message(there, 'k', 'm2')])
    t.same(outcomes(results), ['unavailable', 'ok'])
    t.same(about(results), ['topic', undefined])
  }
)
