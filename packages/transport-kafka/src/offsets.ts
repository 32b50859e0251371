import type { Assignment, Commit } from './assignment.ts'
import type { Cluster } from './driver.ts'

/** Where partitions end: by topic and partition, the offset of the next message. */
type Ends = Record<string, Record<number, string>>

/** The present ends: of what is committed, so that a consumer can get there. */
export async function readEnds(cluster: Cluster, topics: readonly string[]): Promise<Ends> {
  const ends = await cluster.offsets(topics, 'end')
  return Object.fromEntries(
    [...ends].map(([topic, of]) => [
      topic,
      Object.fromEntries([...of].map(([partition, end]) => [partition, `${end}`]))
    ])
  )
}

/**
 * Messages of the group's topics behind its committed offsets; with `upTo`, only those before ends that were read
 * earlier, as JSON. A partition without an offset counts from its beginning.
 */
export async function countLag(
  cluster: Cluster,
  group: string,
  topics: readonly string[],
  upTo?: string
): Promise<bigint> {
  const ends = upTo === undefined ? undefined : (JSON.parse(upTo) as Ends)
  const [low, high] = await Promise.all([cluster.offsets(topics, 'beginning'), cluster.offsets(topics, 'end')])
  const committed = await cluster.committed(group, low)
  let lag = 0n
  for (const [topic, of] of low)
    for (const [partition, first] of of) {
      const from = committed.get(topic)?.get(partition) ?? 0n
      const last = high.get(topic)?.get(partition) ?? 0n
      const end = ends === undefined ? last : min(last, BigInt(ends[topic]?.[partition] ?? 0))
      const behind = end - (from < first ? first : from)
      if (behind > 0n) lag += behind
    }
  return lag
}

/**
 * Where a rewind leads to, of the partitions that the assignment owns: those in which it is behind what the group has
 * committed. A partition without an offset begins at its beginning anyway.
 */
export async function findBehind(
  cluster: Cluster,
  group: string,
  assignment: Assignment,
  to: 'beginning' | Date
): Promise<Commit[]> {
  const owned = assignment.partitions()
  const places = await cluster.offsets(
    owned.map(([topic]) => topic),
    to
  )
  const committed = await cluster.committed(group, places)
  return owned.flatMap(([topic, partitions]) =>
    partitions.flatMap(partition => {
      const offset = places.get(topic)?.get(partition) ?? -1n
      const before = committed.get(topic)?.get(partition) ?? 0n
      // -1: there is no message from that time on.
      return offset >= 0n && offset < before ? [{ topic, partition, offset }] : []
    })
  )
}

const min = (a: bigint, b: bigint) => (a < b ? a : b)
