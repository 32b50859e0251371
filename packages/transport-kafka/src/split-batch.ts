import type { Outgoing } from '@steadfast/events'
import type { Message } from 'kafkajs'
import { partitionOf } from './murmur2.ts'
import type { TopicInfo } from './topic-info.ts'

/** A message with its place in the caller's batch. */
export interface Entry {
  index: number
  key: string
  message: Message
}

/** What goes to one partition, cut into pieces that each fit into one record batch. They are sent one after the other. */
export interface Lane {
  topic: string
  partition: number
  leader: number
  chunks: Entry[][]
  /** Set by a failure that concerns the partition: what is left is not attempted. */
  broken?: Error
}

const RECORD_BATCH_OVERHEAD = 61
const RECORD_OVERHEAD = 31
const HEADER_OVERHEAD = 10

/** At most so many bytes the record takes in its batch. */
export function recordBytes({ headers, value }: Outgoing, keyBytes: number): number {
  let bytes = RECORD_OVERHEAD + keyBytes + value.length
  for (const name in headers) {
    bytes += HEADER_OVERHEAD + name.length * 3 + (headers[name]?.length ?? 0)
  }
  return bytes
}

/**
 * Splits messages by partition, in their order. kafkajs puts all messages of a partition into one record batch, whose
 * size the broker limits, hence the chunks; a record that is larger than the limit goes alone, for the broker to judge.
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
      lane = { topic: outgoing.topic, partition, leader: of.info.leaders[partition] ?? -1, chunks: [[]] }
      of.lanes[partition] = lane
      of.bytes[partition] = RECORD_BATCH_OVERHEAD
      lanes.push(lane)
    }
    const bytes = recordBytes(outgoing, key.length)
    const chunk = lane.chunks[lane.chunks.length - 1] as Entry[]
    const filled = of.bytes[partition] as number
    const message = { key, value: outgoing.value, headers: outgoing.headers, partition }
    const entry = { index, key: outgoing.key, message }
    if (chunk.length > 0 && filled + bytes > of.info.batchBytes) {
      lane.chunks.push([entry])
      of.bytes[partition] = RECORD_BATCH_OVERHEAD + bytes
    } else {
      chunk.push(entry)
      of.bytes[partition] = filled + bytes
    }
  }
  return lanes
}
