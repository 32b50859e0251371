import { randomUUID } from 'node:crypto'
import {
  freePort,
  type KafkaBroker,
  kafkaRequirements,
  launchKafka,
  startProxy,
  type TcpProxy,
  until
} from '@steadfast/dev-services'
import type { Delivery, Outgoing, PublishResult, Transport } from '@steadfast/events'
import { createKafkaTransport, type KafkaTransportOptions } from '../src/index.ts'

/** Short times. A machine that runs all tests at once may take seconds for an answer. */
export const QUICK = {
  connectionTimeoutMs: 3000,
  requestTimeoutMs: 10_000,
  sessionTimeoutMs: 3000,
  rebalanceTimeoutMs: 6000,
  heartbeatIntervalMs: 500,
  maxWaitTimeMs: 100
}

/** For tests in which a broker does not answer. */
export const IMPATIENT = { ...QUICK, connectionTimeoutMs: 1000, requestTimeoutMs: 2500 }

export const requirements = await kafkaRequirements()
export const skip = requirements.ok ? false : `no Kafka: ${requirements.reason}`

interface Teardown {
  teardown(fn: () => unknown): unknown
}

/** A broker of one's own, to be reached through a proxy only. */
export async function brokerBehindProxy(
  t: Teardown,
  properties: Record<string, string | number> = {}
): Promise<{ broker: KafkaBroker; proxy: TcpProxy; brokers: string[] }> {
  const port = await freePort()
  const proxy = await startProxy({ targetPort: port })
  const broker = await launchKafka({ port, advertised: `127.0.0.1:${proxy.port}`, properties })
  t.teardown(async () => {
    await broker.stop()
    await proxy.close()
  })
  return { broker, proxy, brokers: [`127.0.0.1:${proxy.port}`] }
}

/** A transport, closed at teardown. */
export function transport(t: Teardown, brokers: string[], options: Partial<KafkaTransportOptions> = {}): Transport {
  const made = createKafkaTransport({ brokers, ...QUICK, ...options })
  t.teardown(() => made.close(100))
  return made
}

/** A broker that has just come back may be slow to answer, and counts for none until its controller has heard of it. */
function unlessBack(error: Error & { code?: string; brokerError?: string }): false {
  if (error.brokerError === 'INVALID_REPLICATION_FACTOR') return false
  if (error.code === 'SF_TRANSPORT_KAFKA_NO_ANSWER') return false
  throw error
}

export async function newTopic(on: Transport, partitions = 1): Promise<string> {
  const name = `t-${randomUUID()}`
  const creates = () => on.ensureTopics([{ name, partitions }]).then(() => true, unlessBack)
  await until(creates, { what: 'a new topic' })
  return name
}

export function message(topic: string, key: string, text: string): Outgoing {
  return { topic, key, headers: {}, value: Buffer.from(text) }
}

export function messages(topic: string, count: number, key: (i: number) => string = i => `key-${i}`): Outgoing[] {
  return Array.from({ length: count }, (_, i) => message(topic, key(i), `m${i}`))
}

export function publish(on: Transport, batch: readonly Outgoing[]): Promise<PublishResult[]> {
  return on.publish(batch, new AbortController().signal)
}

/** Publishes until the broker has everything: new partitions have no leader for a while. */
export async function store(on: Transport, batch: readonly Outgoing[]): Promise<void> {
  let left = batch
  const sendRest = async () => {
    const results = await publish(on, left)
    left = left.filter((_, i) => !results[i]?.ok)
    return left.length === 0
  }
  await until(sendRest, { what: 'the broker to take the messages' })
}

export const outcomes = (results: readonly PublishResult[]) => results.map(r => (r.ok ? 'ok' : r.kind))
export const about = (results: readonly PublishResult[]) => results.map(r => (r.ok ? undefined : r.about))
export const texts = (deliveries: readonly Delivery[]) => deliveries.map(({ raw }) => raw.toString())
