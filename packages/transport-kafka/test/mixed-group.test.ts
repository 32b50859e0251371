import { randomUUID } from 'node:crypto'
import { testKafka, until } from '@steadfast/dev-services'
import type { Delivery, Transport } from '@steadfast/events'
import t from 'tap'
import * as onPlatformatic from '../src/index.ts'
import * as onKafkajs from '../src/kafkajs/index.ts'
import { messages, newTopic, QUICK, store, texts } from './helper.ts'

const kafka = testKafka(t)
const shared = { skip: kafka ? false : 'no Kafka: Java ≥ 17 and Maven needed' } as const
const brokers = kafka?.brokers ?? []

// a busy machine takes its time
t.setTimeout(180_000)

const clients = { kafkajs: onKafkajs, platformatic: onPlatformatic }
type Client = keyof typeof clients

for (const [first, second] of [
  ['kafkajs', 'platformatic'],
  ['platformatic', 'kafkajs']
] satisfies [Client, Client][])
  t.test(`a rolling change from ${first} to ${second}, with other topics, loses nothing`, shared, async t => {
    const [group, seen]: [string, Delivery[]] = [randomUUID(), []]
    const begin = async (client: Client, topics: string[]): Promise<Transport> => {
      const on = clients[client].createKafkaTransport({ brokers, ...QUICK })
      t.teardown(() => on.close(100))
      await on.subscribe({ group, topics, maxInFlight: 50 }, delivery => {
        seen.push(delivery)
        delivery.done()
      })
      return on
    }
    const publisher = clients.platformatic.createKafkaTransport({ brokers, ...QUICK })
    t.teardown(() => publisher.close(100))
    const [both, added] = [await newTopic(publisher, 6), await newTopic(publisher, 6)]
    const sent: string[] = []
    const send = async (what: string, topics: string[]) => {
      for (const topic of topics) {
        const batch = messages(topic, 60).map(message => ({
          ...message,
          value: Buffer.from(`${what}:${sent.length}:${message.value}`)
        }))
        await store(publisher, batch)
        sent.push(...batch.map(({ value }) => value.toString()))
      }
      await until(() => sent.every(text => texts(seen).includes(text)), { timeoutMs: 60_000, what })
    }

    const old = await Promise.all([begin(first, [both]), begin(first, [both])])
    await send('old ones', [both])
    const fresh = [await begin(second, [both, added])]
    await send('one of each', [both, added])
    await old[0]?.close(2000)
    fresh.push(await begin(second, [both, added]))
    await send('more of the new', [both, added])
    await old[1]?.close(2000)
    await send('new ones', [both, added])
    for (const one of fresh) t.same(one.health(), { ready: true })
    const twice = texts(seen).length - new Set(texts(seen)).size
    t.equal(twice, 0, 'each once: what is done is committed before partitions move')
  })
