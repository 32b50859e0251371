import type { Outgoing } from '@steadfast/events'
import { partitionOf } from './murmur2.ts'
import { BATCH_OVERHEAD, type Entry, maxRecordBytes } from './record-size.ts'
import type { TopicInfo } from './topic-info.ts'

/** What goes to one partition, cut into pieces that each fit into one record batch. They are sent one after the other. */
export interface Lane {
  topic: string
  partition: number
  /** How many the topic had when its messages were split. */
  partitions: number
  leader: number
  chunks: Entry[][]
  /** Set by a failure that concerns the partition: what is left is not attempted. */
  broken?: Error
}

/**
 * Splits messages by partition, in their order. All messages of a partition travel in one record batch, whose size the
 * broker limits, hence the chunks; a record that is larger than the limit goes alone, for the broker to judge.
 */
export function splitBatch(batch: readonly Outgoing[], infoOf: (topic: string) => TopicInfo | undefined): Lane[] {
  const lanes: Lane[] = []
  const byTopic = new Map<string, { info: TopicInfo; lanes: (Lane | undefined)[]; bytes: number[] }>()
  for (let index = 0; index < batch.length; index++) {
    const outgoing = batch[index] as Outgoing
    let of = byTopic.get(outgoing.topic)
    if (!of) {
      const info = infoOf(outgoing.topic)
      if (!info) continue
      of = { info, lanes: [], bytes: [] }
      byTopic.set(outgoing.topic, of)
    }
    const key = Buffer.from(outgoing.key)
    const partition = partitionOf(key, of.info.partitions)
    let lane = of.lanes[partition]
    if (!lane) {
      const { partitions, leaders } = of.info
      lane = { topic: outgoing.topic, partition, partitions, leader: leaders[partition] ?? -1, chunks: [[]] }
      of.lanes[partition] = lane
      of.bytes[partition] = BATCH_OVERHEAD
      lanes.push(lane)
    }
    const entry = { index, key, outgoing }
    const bytes = maxRecordBytes(entry)
    const chunk = lane.chunks[lane.chunks.length - 1] as Entry[]
    const filled = of.bytes[partition] as number
    if (chunk.length > 0 && filled + bytes > of.info.batchBytes) {
      lane.chunks.push([entry])
      of.bytes[partition] = BATCH_OVERHEAD + bytes
    } else {
      chunk.push(entry)
      of.bytes[partition] = filled + bytes
    }
  }
  return lanes
}
