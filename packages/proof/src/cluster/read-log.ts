import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Admin, Kafka, type KafkaMessage, logLevel } from 'kafkajs'
import type { LogRecord } from '../check/evidence.ts'
import { hashOf } from '../check/invariants/records.ts'

/** The topics of the workload. */
export const TOPICS = ['market.deployments', 'deploy.results', 'proof.notes', 'proof.pins', 'market.signals'] as const

/** The groups that consume them, and what each reads. */
export const GROUPS = {
  market: ['deploy.results', 'market.signals'],
  deploy: ['market.deployments', 'proof.notes', 'proof.pins']
} as const

/** By it the harness knows a record of its own, where the record has headers. */
export const POISON_HEADER = 'proof-poison'

export const kafkaOf = (brokers: string) =>
  new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING, retry: { retries: 3, maxRetryTime: 2000 } })

/** Asks or tells the broker something. */
export async function withAdmin<T>(brokers: string, use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafkaOf(brokers).admin()
  try {
    await admin.connect()
    return await use(admin)
  } finally {
    await admin.disconnect().catch(() => {})
  }
}

function decode(topic: string, partition: number, message: KafkaMessage): LogRecord {
  const header = (name: string) => {
    const value = message.headers?.[name]
    return value === undefined ? undefined : String(Array.isArray(value) ? value.at(-1) : value)
  }
  return {
    topic,
    partition,
    offset: message.offset,
    timestamp: new Date(Number(message.timestamp)),
    key: message.key?.toString() ?? '',
    id: header('ce_id') ?? '',
    source: header('ce_source') ?? '',
    type: header('ce_type') ?? '',
    causationId: header('ce_causationid') ?? null,
    attempt: Number(header('ce_attempt') ?? 0),
    replay: header('ce_replay') === 'true',
    hash: hashOf(message.value ?? ''),
    poison: header(POISON_HEADER) !== undefined,
    deleted: false
  }
}

/** For each partition that holds something: from where to where, the end excluded. */
async function rangesOf(brokers: string, topics: readonly string[]): Promise<Map<string, bigint>> {
  return await withAdmin(brokers, async admin => {
    const ends = new Map<string, bigint>()
    for (const topic of topics) {
      for (const { partition, low, high } of await admin.fetchTopicOffsets(topic))
        if (BigInt(high) > BigInt(low)) ends.set(`${topic}:${partition}`, BigInt(high))
    }
    return ends
  })
}

/** So long nothing may come before the rest counts as unreadable: a log of a long attack takes its time. */
const SILENT_MS = 60_000

/** Reads topics from their beginning to where they end now. */
export async function readLog(brokers: string, topics: readonly string[] = TOPICS): Promise<LogRecord[]> {
  const ends = await rangesOf(brokers, topics)
  if (ends.size === 0) return []
  const records: LogRecord[] = []
  const consumer = kafkaOf(brokers).consumer({ groupId: `proof-${randomUUID()}`, allowAutoTopicCreation: false })
  let lastAt = performance.now()
  await consumer.connect()
  try {
    await consumer.subscribe({ topics: [...topics], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      async eachBatch({ batch: { topic, partition, messages } }) {
        lastAt = performance.now()
        const place = `${topic}:${partition}`
        const end = ends.get(place)
        for (const message of messages)
          if (end !== undefined && BigInt(message.offset) < end) records.push(decode(topic, partition, message))
        if (end !== undefined && BigInt(messages.at(-1)?.offset ?? -1) + 1n >= end) ends.delete(place)
      }
    })
    while (ends.size > 0) {
      if (performance.now() - lastAt > SILENT_MS)
        throw new Error(`the log could not be read to its end: ${[...ends.keys()]}`)
      await sleep(20)
    }
    return records
  } finally {
    await consumer.disconnect().catch(() => {})
  }
}

/** One partition of a group: where it is, and where the log begins and ends. */
export interface GroupOffset {
  group: string
  place: string
  next: bigint
  low: bigint
  high: bigint
}

const ATTEMPTS = 20
const PAUSE_MS = 500

/** How far the groups are. A broker that has just come back may not know its groups for a while. */
export async function groupOffsets(
  brokers: string,
  groups: readonly (keyof typeof GROUPS)[] = ['market', 'deploy']
): Promise<GroupOffset[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await withAdmin(brokers, admin => askForOffsets(admin, groups))
    } catch (error) {
      if (attempt === ATTEMPTS || !(error as { retriable?: boolean }).retriable) throw error
      await sleep(PAUSE_MS)
    }
  }
}

async function askForOffsets(admin: Admin, groups: readonly (keyof typeof GROUPS)[]): Promise<GroupOffset[]> {
  const found: GroupOffset[] = []
  for (const group of groups)
    for (const { topic, partitions } of await admin.fetchOffsets({ groupId: group, topics: [...GROUPS[group]] })) {
      const ends = new Map((await admin.fetchTopicOffsets(topic)).map(end => [end.partition, end]))
      for (const { partition, offset } of partitions) {
        const { low = '0', high = '0' } = ends.get(partition) ?? {}
        const place = `${topic}:${partition}`
        found.push({ group, place, next: BigInt(offset), low: BigInt(low), high: BigInt(high) })
      }
    }
  return found
}

/** Records that the group has not consumed. */
export async function lagOf(brokers: string, group: keyof typeof GROUPS): Promise<bigint> {
  const offsets = await groupOffsets(brokers, [group])
  let lag = 0n
  for (const { next, low, high } of offsets) {
    const isBehindLog = next < low
    lag += high - (isBehindLog ? low : next)
  }
  return lag
}

/** Partitions that a group has not consumed, as a person reads them. */
export async function offsetsOf(brokers: string): Promise<string[]> {
  const offsets = await groupOffsets(brokers)
  return offsets
    .filter(({ next, high }) => next < high)
    .map(({ group, place, next, low, high }) => `${group} ${place}: at ${next}, log from ${low} to ${high}`)
}
