import { type PartitionBatch, partitionName } from '../driver.ts'
import { type Compression, measure, packRecordBatch, writeRecordBatch } from './record-batch.ts'

/** The broker's answer: an error code per partition, 0 for success. */
export interface ProduceAnswer {
  errorCodes: Map<string, number>
}

/** Versions 5 to 7 of the Produce request have one layout: Kafka 1.0 and later. */
export const PRODUCE_VERSIONS = { min: 5, max: 7 } as const

/** The broker shall wait `timeoutMs` for its replicas. All of them must have it (`acks` -1). */
export function encodeProduce(
  batches: readonly PartitionBatch[],
  timeoutMs: number,
  compression: Compression = 'none'
): Buffer {
  const byTopic = new Map<string, PartitionBatch[]>()
  for (const batch of batches) {
    const of = byTopic.get(batch.topic) ?? []
    of.push(batch)
    byTopic.set(batch.topic, of)
  }
  return encode([...byTopic], timeoutMs, compression)
}

/** What a record batch will be: written when there is room for all, or made before. */
type Prepared = ReturnType<typeof measure> & { packed?: Buffer }

function prepare({ entries }: PartitionBatch, compression: Compression, timestamp: number): Prepared {
  const size = measure(entries)
  if (compression === 'none') return size
  const packed = packRecordBatch(entries, size, timestamp, compression)
  return { ...size, total: packed.length, packed }
}

function encode(
  byTopic: readonly [topic: string, batches: PartitionBatch[]][],
  timeoutMs: number,
  compression: Compression
): Buffer {
  const timestamp = Date.now()
  const prepared = new Map<PartitionBatch, Prepared>()
  let total = 12
  for (const [topic, batches] of byTopic) {
    total += 6 + Buffer.byteLength(topic)
    for (const batch of batches) {
      const made = prepare(batch, compression, timestamp)
      prepared.set(batch, made)
      total += 8 + made.total
    }
  }
  const to = Buffer.allocUnsafe(total)
  let at = to.writeInt16BE(-1, 0)
  at = to.writeInt16BE(-1, at)
  at = to.writeInt32BE(timeoutMs, at)
  at = to.writeInt32BE(byTopic.length, at)
  for (const [topic, batches] of byTopic) {
    at = to.writeInt16BE(Buffer.byteLength(topic), at)
    at += to.write(topic, at)
    at = to.writeInt32BE(batches.length, at)
    for (const batch of batches) {
      const made = prepared.get(batch) as Prepared
      at = to.writeInt32BE(batch.partition, at)
      at = to.writeInt32BE(made.total, at)
      if (made.packed === undefined) at = writeRecordBatch(to, at, batch.entries, made, timestamp)
      else at += made.packed.copy(to, at)
    }
  }
  return to
}

/** Reads the answer to {@link encodeProduce}. */
export function readProduceAnswer(data: Buffer): ProduceAnswer {
  const errorCodes = new Map<string, number>()
  let at = 0
  const topics = data.readInt32BE(at)
  at += 4
  for (let t = 0; t < topics; t++) {
    const length = data.readInt16BE(at)
    const topic = data.toString('utf8', at + 2, at + 2 + length)
    at += 2 + length
    const partitions = data.readInt32BE(at)
    at += 4
    for (let p = 0; p < partitions; p++) {
      errorCodes.set(partitionName(topic, data.readInt32BE(at)), data.readInt16BE(at + 4))
      // Partition, error code, base offset, append time, log start offset.
      at += 30
    }
  }
  return { errorCodes }
}
