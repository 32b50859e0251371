import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import type { Journal } from '../cluster/journal.ts'
import type { Random } from '../random.ts'

const TOPICS = ['market.deployments', 'deploy.results', 'proof.notes', 'market.signals'] as const
const EVERY_MS = 1500

const headersOf = (type: string) => ({
  ce_specversion: '1.0',
  ce_id: randomUUID(),
  ce_source: 'poison',
  ce_type: type,
  'content-type': 'application/json'
})

/** Types that somebody reads, by topic: their data are not what the contract says. */
const TYPE_OF: Record<(typeof TOPICS)[number], string> = {
  'market.deployments': 'market.deployment.requested',
  'deploy.results': 'deploy.deployment.succeeded',
  'proof.notes': 'proof.note.written',
  'market.signals': 'steadfast.refused'
}

const KINDS: Record<string, (topic: (typeof TOPICS)[number]) => { headers?: Record<string, string>; value: Buffer }> = {
  'bytes without headers': () => ({ value: Buffer.from([0xff, 0x00, 0xfe, 0x80]) }),
  'no value': topic => ({ headers: headersOf(TYPE_OF[topic]), value: Buffer.alloc(0) }),
  'bad JSON': topic => ({ headers: headersOf(TYPE_OF[topic]), value: Buffer.from('{"orderId": ') }),
  'other data': topic => ({ headers: headersOf(TYPE_OF[topic]), value: Buffer.from('{"__proto__x": [1]}') }),
  'deep nesting': topic => ({
    headers: headersOf(TYPE_OF[topic]),
    value: Buffer.from('['.repeat(5000) + ']'.repeat(5000))
  }),
  'unknown type': () => ({ headers: headersOf('poison.unknown'), value: Buffer.from('{}') })
}

/** Puts records into the topics that are no events, or none of these contracts. */
export async function sendPoison(options: {
  brokers: string
  random: Random
  journal: Journal
  stop: AbortSignal
}): Promise<void> {
  const { brokers, random, journal, stop } = options
  const kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING, retry: { retries: 1 } })
  for (let n = 1; !stop.aborted; n++) {
    const topic = random.pick(TOPICS)
    const what = random.pick(Object.keys(KINDS))
    const message = { key: `poison-${n}`, ...(KINDS[what] as (typeof KINDS)[string])(topic) }
    // before it is sent: a broker that dies may keep it all the same
    journal.write({ kind: 'poison', topic, key: message.key, what })
    const producer = kafka.producer({ allowAutoTopicCreation: false, retry: { retries: 1 } })
    try {
      await producer.connect()
      await producer.send({ topic, messages: [message], timeout: 2000 })
    } catch {
      // the broker is away: this one is not needed
    } finally {
      await producer.disconnect().catch(() => {})
    }
    await sleep(EVERY_MS, undefined, { signal: stop }).catch(() => {})
  }
}
