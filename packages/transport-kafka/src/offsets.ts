import type { Admin } from 'kafkajs'
import type { Admins } from './admin.ts'
import type { Assignment, Commit } from './assignment.ts'

/** Where partitions end: by topic and partition, the offset of the next message. */
type Ends = Record<string, Record<number, string>>

export async function readEnds(admins: Admins, topics: readonly string[]): Promise<Ends> {
  return admins.use('ends of topics', async admin => {
    const ends: Ends = {}
    for (const topic of topics) {
      const offsets = await admin.fetchTopicOffsets(topic)
      ends[topic] = Object.fromEntries(offsets.map(({ partition, high }) => [partition, high]))
    }
    return ends
  })
}

/**
 * Messages of the group's topics behind its committed offsets; with `upTo`, only those before ends that were read
 * earlier, as JSON. A partition without an offset counts from its beginning.
 */
export async function countLag(
  admins: Admins,
  group: string,
  topics: readonly string[],
  upTo?: string
): Promise<bigint> {
  const ends = upTo === undefined ? undefined : (JSON.parse(upTo) as Ends)
  return admins.use(`lag of group ${group}`, async admin => {
    const committed = await committedOffsets(admin, group, topics)
    let lag = 0n
    for (const topic of topics) {
      for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
        const from = committed(topic, partition) ?? 0n
        const end = ends === undefined ? BigInt(high) : min(BigInt(high), BigInt(ends[topic]?.[partition] ?? 0))
        const behind = end - (from < BigInt(low) ? BigInt(low) : from)
        if (behind > 0n) lag += behind
      }
    }
    return lag
  })
}

/**
 * Where a rewind leads to, of the partitions that the assignment owns: those in which it is behind what the group has
 * committed. A partition without an offset begins at its beginning anyway.
 */
export async function findBehind(
  admins: Admins,
  group: string,
  assignment: Assignment,
  to: 'beginning' | Date
): Promise<Commit[]> {
  const owned = assignment.partitions()
  const committed = await admins.use(`offsets of group ${group}`, admin =>
    committedOffsets(
      admin,
      group,
      owned.map(([topic]) => topic)
    )
  )
  const behind: Commit[] = []
  for (const [topic, partitions] of owned) {
    const offsets = await admins.use(`offsets of topic ${topic}`, async admin => {
      // To Kafka a time below zero is no time: -1 is the end, and most others are an error.
      if (to !== 'beginning') return admin.fetchTopicOffsetsByTimestamp(topic, Math.max(0, to.getTime()))
      const ends = await admin.fetchTopicOffsets(topic)
      return ends.map(({ partition, low }) => ({ partition, offset: low }))
    })
    for (const { partition, offset } of offsets) {
      if (partitions.includes(partition) && BigInt(offset) < (committed(topic, partition) ?? 0n))
        behind.push({ topic, partition, offset })
    }
  }
  return behind
}

async function committedOffsets(
  admin: Admin,
  groupId: string,
  topics: readonly string[]
): Promise<(topic: string, partition: number) => bigint | undefined> {
  if (topics.length === 0) return () => undefined
  const fetched = await admin.fetchOffsets({ groupId, topics: [...topics] })
  return (name, number) => {
    const entry = fetched.find(({ topic }) => topic === name)?.partitions.find(({ partition }) => partition === number)
    // -1: none yet.
    return entry === undefined || BigInt(entry.offset) < 0n ? undefined : BigInt(entry.offset)
  }
}

const min = (a: bigint, b: bigint) => (a < b ? a : b)
