import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import type { Journal } from '../cluster/journal.ts'
import { POISON_HEADER } from '../cluster/read-log.ts'
import type { Random } from '../random.ts'

const TOPICS = ['market.deployments', 'deploy.results', 'proof.notes', 'market.signals'] as const
type Topic = (typeof TOPICS)[number]
const EVERY_MS = 1500

const headersOf = (type: string, id: string = randomUUID(), source = 'poison') => ({
  [POISON_HEADER]: 'yes',
  ce_specversion: '1.0',
  ce_id: id,
  ce_source: source,
  ce_type: type,
  'content-type': 'application/json'
})

/** Types that somebody reads, by topic. */
const TYPE_OF: Record<Topic, string> = {
  'market.deployments': 'market.deployment.requested',
  'deploy.results': 'deploy.deployment.succeeded',
  'proof.notes': 'proof.note.written',
  'market.signals': 'steadfast.refused'
}

interface Message {
  topic: Topic
  key?: Buffer | string
  headers?: Record<string, string>
  value: Buffer | null
}

interface Context {
  topic: Topic
  random: Random
  /** An event that market has acknowledged to a client, as anybody who reads a topic knows some. */
  knownId: string | undefined
}

const json = (value: unknown) => Buffer.from(JSON.stringify(value))
const note = (key: string) => json({ key, n: 1, behaviour: 'ok', writtenAt: 0 })

const KINDS: Record<string, (context: Context) => Message> = {
  'bytes without headers': ({ topic }) => ({ topic, value: Buffer.from([0xff, 0x00, 0xfe, 0x80]) }),
  'no value': ({ topic }) => ({ topic, headers: headersOf(TYPE_OF[topic]), value: Buffer.alloc(0) }),
  tombstone: ({ topic }) => ({ topic, value: null }),
  'bad JSON': ({ topic }) => ({ topic, headers: headersOf(TYPE_OF[topic]), value: Buffer.from('{"orderId": ') }),
  'other data': ({ topic }) => ({
    topic,
    headers: headersOf(TYPE_OF[topic]),
    value: Buffer.from('{"__proto__x": [1]}')
  }),
  'deep nesting': ({ topic }) => ({
    topic,
    headers: headersOf(TYPE_OF[topic]),
    value: Buffer.from('['.repeat(5000) + ']'.repeat(5000))
  }),
  'unknown type': ({ topic }) => ({ topic, headers: headersOf('poison.unknown'), value: Buffer.from('{}') }),
  'structured mode': ({ topic }) => ({
    topic,
    headers: { [POISON_HEADER]: 'yes', 'content-type': 'application/cloudevents+json' },
    value: json({ specversion: '1.0', id: randomUUID(), source: 'poison', type: TYPE_OF[topic], data: {} })
  }),
  'binary key': ({ topic, random }) => {
    const long = Buffer.alloc(8)
    long.writeBigInt64BE(BigInt(random.between(1, 3)))
    const key = random.pick([long, Buffer.from([0x80]), Buffer.from([0x81])])
    return { topic, key, headers: headersOf('poison.unknown'), value: Buffer.from('{}') }
  },
  'note of another source': () => ({
    topic: 'proof.notes',
    headers: headersOf('proof.note.written'),
    value: note('cold-1')
  }),
  'note on another topic': () => ({
    topic: 'market.deployments',
    headers: headersOf('proof.note.written', randomUUID(), 'market'),
    value: note('cold-2')
  }),
  'answer on the signals topic': ({ knownId = randomUUID() }) => ({
    topic: 'market.signals',
    headers: { ...headersOf('deploy.deployment.succeeded', randomUUID(), 'deploy'), ce_causationid: knownId },
    value: json({ orderId: randomUUID() })
  }),
  'known id of another source': ({ knownId }) => ({
    topic: 'proof.notes',
    headers: headersOf('proof.note.written', knownId),
    value: note('cold-3')
  }),
  'known id of another type': ({ knownId }) => ({
    topic: 'market.deployments',
    headers: headersOf('poison.unknown', knownId, 'market'),
    value: Buffer.from('{}')
  })
}

/** Puts records into the topics that are no events, none of these contracts, or say that they are of somebody else. */
export async function sendPoison(options: {
  brokers: string
  random: Random
  journal: Journal
  stop: AbortSignal
}): Promise<void> {
  const { brokers, random, journal, stop } = options
  const kafka = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING, retry: { retries: 1 } })
  const knownIds = () => journal.entries.flatMap(entry => (entry.kind === 'answer' && entry.id ? [entry.id] : []))
  for (let n = 1; !stop.aborted; n++) {
    const what = random.pick(Object.keys(KINDS))
    const kind = KINDS[what] as (typeof KINDS)[string]
    const message = { key: `poison-${n}`, ...kind({ topic: random.pick(TOPICS), random, knownId: knownIds().at(-20) }) }
    // before it is sent: a broker that dies may keep it all the same
    journal.write({ kind: 'poison', topic: message.topic, key: String(message.key), what })
    const producer = kafka.producer({ allowAutoTopicCreation: false, retry: { retries: 1 } })
    try {
      await producer.connect()
      await producer.send({ topic: message.topic, messages: [message], timeout: 2000 })
    } catch {
      // the broker is away: this one is not needed
    } finally {
      await producer.disconnect().catch(() => {})
    }
    await sleep(EVERY_MS, undefined, { signal: stop }).catch(() => {})
  }
}
