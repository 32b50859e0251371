import { type Connection, createAPI, FetchIsolationLevels, fetchV12, type Reader } from '@platformatic/kafka'
import { mustBeOk } from '../broker-error.ts'
import { send } from './connections.ts'
import type { Aborted } from './read-records.ts'

/** Where to read on in a partition. */
export interface Wanted {
  topic: string
  partition: number
  offset: bigint
}

/** A broker's answer for a partition. Its record batches are not read yet. */
export interface Part {
  topic: string
  partition: number
  errorCode: number
  /** The first offset that the log still holds; -1: not said. */
  logStart: bigint
  aborted: Aborted
  bytes: Buffer
}

// As the client writes the request; its answer is read here.
const fetchApi = createAPI<Parameters<typeof fetchV12.createRequest>, Part[]>(
  1,
  12,
  fetchV12.createRequest,
  (_correlation, _key, _version, reader) => readParts(reader)
)

/**
 * Asks a broker for what it has behind these offsets, as far as it is committed; it waits `maxWaitMs` for something to
 * come. The client's own reading of the answer unpacks without a bound, and lets an aborted transaction through where a
 * producer has aborted twice: so the batches are left as they are, for `readRecords`.
 */
export function fetchParts(
  connection: Connection,
  wanted: readonly Wanted[],
  { maxWaitMs, maxBytes, maxPartitionBytes }: { maxWaitMs: number; maxBytes: number; maxPartitionBytes: number }
): Promise<Part[]> {
  const topics = [...Map.groupBy(wanted, ({ topic }) => topic)].map(([topic, of]) => ({
    // In this version of the request the name stands for the id.
    topicId: topic,
    partitions: of.map(({ partition, offset }) => ({
      partition,
      currentLeaderEpoch: -1,
      fetchOffset: offset,
      lastFetchedEpoch: -1,
      partitionMaxBytes: maxPartitionBytes
    }))
  }))
  const level = FetchIsolationLevels.READ_COMMITTED
  // Without a session (-1): partitions come and go with each request.
  return send(connection, fetchApi, maxWaitMs, 1, maxBytes, level, 0, -1, topics, [], '')
}

function readParts(reader: Reader): Part[] {
  reader.readInt32()
  const errorCode = reader.readInt16()
  reader.readInt32()
  const topics = reader.readArray(r => {
    const topic = r.readString()
    return r.readArray(of => readPart(topic, of), true, true)
  })
  reader.readTaggedFields()
  mustBeOk(errorCode, 'fetch')
  return topics.flat()
}

function readPart(topic: string, reader: Reader): Part {
  const partition = reader.readInt32()
  const errorCode = reader.readInt16()
  reader.readInt64()
  reader.readInt64()
  const logStart = reader.readInt64()
  const aborted = reader.readNullableArray(r => ({ producerId: r.readInt64(), firstOffset: r.readInt64() })) ?? []
  reader.readInt32()
  return { topic, partition, errorCode, logStart, aborted, bytes: reader.readNullableBytes() ?? Buffer.alloc(0) }
}
