import type { Admins } from './admin.ts'
import type { Assignment, Commit } from './assignment.ts'

/** Messages of the group's topics behind its committed offsets. A partition without one counts from its beginning. */
export async function countLag(admins: Admins, group: string, topics: readonly string[]): Promise<bigint> {
  return admins.use(`lag of group ${group}`, async admin => {
    const committed = await admin.fetchOffsets({ groupId: group, topics: [...topics] })
    let lag = 0n
    for (const topic of topics) {
      const done = new Map(
        committed.find(entry => entry.topic === topic)?.partitions.map(({ partition, offset }) => [partition, offset])
      )
      for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
        const from = BigInt(done.get(partition) ?? -1)
        const behind = BigInt(high) - (from < BigInt(low) ? BigInt(low) : from)
        if (behind > 0n) lag += behind
      }
    }
    return lag
  })
}

/** Where a seek leads to, for every partition the assignment owns. */
export async function findOffsets(
  admins: Admins,
  assignment: Assignment,
  to: 'beginning' | 'end' | Date
): Promise<Commit[]> {
  const found: Commit[] = []
  for (const [topic, owned] of assignment.partitions()) {
    const offsets = await admins.use(`offsets of topic ${topic}`, async admin => {
      // To Kafka a time below zero is no time: -1 is the end, and most others are an error.
      if (to instanceof Date) return admin.fetchTopicOffsetsByTimestamp(topic, Math.max(0, to.getTime()))
      const ends = await admin.fetchTopicOffsets(topic)
      return ends.map(({ partition, low, high }) => ({ partition, offset: to === 'beginning' ? low : high }))
    })
    for (const { partition, offset } of offsets) {
      if (owned.includes(partition)) found.push({ topic, partition, offset })
    }
  }
  return found
}
