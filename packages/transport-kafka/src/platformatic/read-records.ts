import { constants, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { compressionsAlgorithms, crc32c, Reader, readRecord } from '@platformatic/kafka'
import type { Fetched } from '../assignment.ts'

/** What a fetch has brought of a partition. */
export interface Records {
  records: Fetched[]
  /** The offset behind the last batch that was read. */
  next: bigint
  /** The batch at that offset cannot be read. */
  unreadable?: { reason: string; offset: bigint; bytes: Buffer; next: bigint }
}

/** Producers whose transactions were aborted, with the offset at which each of these begins. */
export type Aborted = readonly { producerId: bigint; firstOffset: bigint }[]

/** The reason of what was damaged, perhaps on the way. */
export const DAMAGED = 'a damaged record batch'

// Of a record batch (format 2): what stands before its records, and where in it.
const HEAD = 61
const LENGTH_AT = 8
const LENGTH_COUNTS_FROM = 12
const MAGIC_AT = 16
const CRC_AT = 17
const CRC_COUNTS_FROM = 21
const LAST_DELTA_AT = 23
const FIRST_TIME_AT = 27
const MAX_TIME_AT = 35
const PRODUCER_AT = 43
const COUNT_AT = 57

const CODEC = 0x07
const LOG_APPEND_TIME = 1 << 3
const TRANSACTIONAL = 1 << 4
const CONTROL = 1 << 5
const ABORT = 0

/**
 * Reads the record batches of one partition, from an offset on: without markers of transactions, and without what was
 * aborted. A producer that aborts twice within one fetch has two ranges; one whose marker is in a later fetch has a range
 * that is open.
 *
 * @param limit the most bytes that one batch may have when it is unpacked
 */
export function readRecords(bytes: Buffer, from: bigint, aborted: Aborted, limit: number): Records {
  const records: Fetched[] = []
  // By the offset at which it begins; each is taken when its producer's batches get there.
  const waiting = [...aborted].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1))
  const aborting = new Set<bigint>()
  let next = from
  let at = 0
  // The broker may cut the last batch off.
  while (bytes.length - at >= HEAD) {
    const end = at + LENGTH_COUNTS_FROM + bytes.readInt32BE(at + LENGTH_AT)
    if (end < at + HEAD) throw new Error(DAMAGED)
    if (end > bytes.length) break
    const batch = bytes.subarray(at, end)
    const first = batch.readBigInt64BE(0)
    const behind = first + BigInt(batch.readInt32BE(LAST_DELTA_AT)) + 1n
    const attributes = batch.readInt16BE(CRC_COUNTS_FROM)
    const producer = batch.readBigInt64BE(PRODUCER_AT)
    try {
      while (waiting[0] !== undefined && waiting[0].firstOffset < behind)
        aborting.add((waiting.shift() as Aborted[0]).producerId)
      const inner = readBatch(batch, first, attributes, limit)
      if (attributes & CONTROL) {
        if (inner[0]?.key?.readInt16BE(2) === ABORT) aborting.delete(producer)
      } else if (!(attributes & TRANSACTIONAL && aborting.has(producer)))
        for (const record of inner) if (record.offset >= from) records.push(record)
    } catch (thrown) {
      const reason = (thrown as Error).message
      return { records, next, unreadable: { reason, offset: first, bytes: batch, next: behind } }
    }
    next = behind > next ? behind : next
    at = end
  }
  return { records, next }
}

function readBatch(batch: Buffer, first: bigint, attributes: number, limit: number): Fetched[] {
  if (batch[MAGIC_AT] !== 2) throw new Error(`a record batch of format ${batch[MAGIC_AT]}`)
  if (crc32c(batch.subarray(CRC_COUNTS_FROM)) !== batch.readUInt32BE(CRC_AT)) throw new Error(DAMAGED)
  const reader = Reader.from(unpack(batch.subarray(HEAD), attributes & CODEC, limit))
  const firstTime = batch.readBigInt64BE(FIRST_TIME_AT)
  const logTime = attributes & LOG_APPEND_TIME ? batch.readBigInt64BE(MAX_TIME_AT) : undefined
  const records: Fetched[] = []
  for (let count = batch.readInt32BE(COUNT_AT); count > 0; count--) {
    const { key, value, headers, offsetDelta, timestampDelta } = readRecord(reader)
    const timestamp = logTime ?? firstTime + timestampDelta
    records.push({ offset: first + BigInt(offsetDelta), timestamp, key, value, headers })
  }
  return records
}

const TOO_LARGE = 'ERR_BUFFER_TOO_LARGE'

/** @throws when it would be larger than the limit, before it is */
function unpack(data: Buffer, codec: number, limit: number): Buffer {
  try {
    switch (codec) {
      case 0:
        return data
      case 1:
        return gunzipSync(data, { maxOutputLength: limit })
      case 2:
        return within(snappySize(data), limit) && compressionsAlgorithms.snappy.decompressSync(data)
      case 3:
        return within(lz4Bound(data), limit) && compressionsAlgorithms.lz4.decompressSync(data)
      case 4:
        return zstdDecompressSync(data, { maxOutputLength: limit, params: { [constants.ZSTD_d_windowLogMax]: 27 } })
      default:
        throw new Error(`a record batch that is packed in an unknown way (${codec})`)
    }
  } catch (thrown) {
    if ((thrown as { code?: string }).code !== TOO_LARGE) throw thrown
    throw new Error(`a record batch of ${data.length} bytes is larger than ${limit} when it is unpacked`, {
      cause: thrown
    })
  }
}

function within(size: number, limit: number): true {
  if (size > limit) throw Object.assign(new Error('too large'), { code: TOO_LARGE })
  return true
}

const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])

/** The size that snappy's chunks say they have when they are unpacked. */
function snappySize(data: Buffer): number {
  if (!data.subarray(0, XERIAL.length).equals(XERIAL)) return readSize(data)
  let size = 0
  for (let at = 16; at + 4 <= data.length; at += 4 + data.readUInt32BE(at)) size += readSize(data.subarray(at + 4))
  return size
}

/** A number in 7 bits a byte, the lowest first. */
function readSize(data: Buffer): number {
  let size = 0
  for (let i = 0; i < 5; i++) {
    const byte = data[i] ?? 0
    size += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) break
  }
  return size
}

/** The most that a frame of LZ4 can be: its blocks, each as large as one may be. */
function lz4Bound(data: Buffer): number {
  const flags = data[4] ?? 0
  const block = 2 ** (8 + 2 * (((data[5] ?? 0) >> 4) & 7))
  const hasSize = (flags & 0x08) !== 0
  const hasChecksums = (flags & 0x10) !== 0
  let bound = 0
  let at = 7 + (hasSize ? 8 : 0)
  while (at + 4 <= data.length) {
    const size = data.readUInt32LE(at)
    if (size === 0) break
    const stored = (size & 0x80000000) !== 0
    const length = size & 0x7fffffff
    bound += stored ? length : block
    at += 4 + length + (hasChecksums ? 4 : 0)
  }
  return bound
}
