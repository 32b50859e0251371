import { randomUUID } from 'node:crypto'
import { testKafka, until } from '@steadfast/dev-services'
import type { Delivery } from '@steadfast/events'
import kafkajs from 'kafkajs'
import t from 'tap'
import { message, newTopic, store, texts, transport } from './helper.ts'

const kafka = testKafka(t)
const shared = { skip: kafka ? false : 'no Kafka: Java ≥ 17 and Maven needed' } as const
const brokers = kafka?.brokers ?? []

// a busy machine takes its time
t.setTimeout(120_000)

t.test(
  'partitions that an earlier version gives to who does not read them are named by health, until it is gone',
  shared,
  async t => {
    const on = transport(t, brokers)
    const [read, other] = [await newTopic(on, 2), await newTopic(on, 3)]
    const group = randomUUID()

    // What an earlier version was: kafkajs' own assigner, and no other. It comes first, and leads.
    const earlier = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).consumer({
      groupId: group,
      sessionTimeout: 6000,
      rebalanceTimeout: 6000,
      heartbeatInterval: 300,
      maxWaitTimeInMs: 100
    })
    let gone: Promise<void> | undefined
    const leave = () => (gone ??= earlier.disconnect())
    t.teardown(leave)
    let its: Record<string, number[]> = {}
    earlier.on(earlier.events.GROUP_JOIN, ({ payload }) => {
      its = payload.memberAssignment
    })
    await earlier.connect()
    await earlier.subscribe({ topics: [read, other], fromBeginning: true })
    await earlier.run({ eachMessage: async () => {} })
    await until(() => (its[other] ?? []).length === 3, { what: 'the earlier version to have everything' })

    const seen: Delivery[] = []
    const subscription = await on.subscribe({ group, topics: [read], maxInFlight: 10 }, delivery => {
      seen.push(delivery)
      delivery.done()
    })
    await until(() => (its[other] ?? []).length < 3 && /\(/.test(on.health().reason ?? ''), {
      timeoutMs: 60_000,
      what: 'the member to be given what it does not read'
    })
    const unread = [0, 1, 2].filter(partition => !its[other]?.includes(partition))
    t.same(on.health(), {
      ready: true,
      reason: `group ${group}: was given partitions that it does not read, so that nobody does: ${other} (${unread.join(', ')})`
    })

    await leave()
    await until(() => on.health().reason === undefined, { timeoutMs: 60_000, what: 'the next assignment' })
    t.same(on.health(), { ready: true })
    await store(on, [message(read, 'k', 'm')])
    await until(() => texts(seen).includes('m'), { what: 'it reads on' })
    await subscription.close(1000)
  }
)
