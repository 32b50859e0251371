import { gzipSync, zstdCompressSync } from 'node:zlib'
import { crc32c } from '@platformatic/kafka'
import { BATCH_OVERHEAD, type Entry, nameBytes } from '../record-size.ts'

/** The size of every record's body, and of the whole record batch. */
export function measure(entries: readonly Entry[]): { bodies: Int32Array; total: number } {
  const bodies = new Int32Array(entries.length)
  let total = BATCH_OVERHEAD
  for (let i = 0; i < entries.length; i++) {
    const { key, outgoing } = entries[i] as Entry
    const { value, headers } = outgoing
    let body = 2 + sizeOf(i) + sizeOf(key.length) + key.length + sizeOf(value.length) + value.length
    let count = 0
    for (const name in headers) {
      const nameLength = nameBytes(name).length
      const { length } = headers[name] as Buffer
      body += sizeOf(nameLength) + nameLength + sizeOf(length) + length
      count++
    }
    body += sizeOf(count)
    bodies[i] = body
    total += sizeOf(body) + body
  }
  return { bodies, total }
}

/**
 * Writes a record batch (format 2, uncompressed, no producer id, one timestamp) into `to` at `start`; returns its end.
 * The client's own encoder is slow with the headers of an event.
 */
export function writeRecordBatch(
  to: Buffer,
  start: number,
  entries: readonly Entry[],
  { bodies, total }: { bodies: Int32Array; total: number },
  timestamp: number
): number {
  to.writeBigInt64BE(0n, start)
  to.writeInt32BE(total - 12, start + 8)
  to.writeInt32BE(-1, start + 12)
  to[start + 16] = 2
  to.writeInt16BE(0, start + 21)
  to.writeInt32BE(entries.length - 1, start + 23)
  to.writeBigInt64BE(BigInt(timestamp), start + 27)
  to.writeBigInt64BE(BigInt(timestamp), start + 35)
  to.fill(0xff, start + 43, start + 57)
  to.writeInt32BE(entries.length, start + 57)
  let at = start + BATCH_OVERHEAD
  for (let i = 0; i < entries.length; i++) {
    at = writeRecord(to, at, entries[i] as Entry, i, bodies[i] as number)
  }
  to.writeUInt32BE(crc32c(to.subarray(start + 21, at)), start + 17)
  return at
}

/** How record batches are compressed. */
export type Compression = 'none' | 'gzip' | 'zstd'

const CODECS = {
  gzip: { attribute: 1, compress: (data: Buffer) => gzipSync(data) },
  zstd: { attribute: 4, compress: (data: Buffer) => zstdCompressSync(data) }
} as const

/** A record batch whose records are compressed, or as {@link writeRecordBatch} writes it where that makes none smaller. */
export function packRecordBatch(
  entries: readonly Entry[],
  size: { bodies: Int32Array; total: number },
  timestamp: number,
  compression: Exclude<Compression, 'none'>
): Buffer {
  const plain = Buffer.allocUnsafe(size.total)
  writeRecordBatch(plain, 0, entries, size, timestamp)
  const { attribute, compress } = CODECS[compression]
  const records = compress(plain.subarray(BATCH_OVERHEAD))
  if (BATCH_OVERHEAD + records.length >= plain.length) return plain
  const packed = Buffer.concat([plain.subarray(0, BATCH_OVERHEAD), records])
  packed.writeInt32BE(packed.length - 12, 8)
  packed.writeInt16BE(attribute, 21)
  packed.writeUInt32BE(crc32c(packed.subarray(21)), 17)
  return packed
}

function writeRecord(to: Buffer, start: number, { key, outgoing }: Entry, offset: number, body: number): number {
  let at = writeVarint(to, start, body)
  to[at++] = 0
  to[at++] = 0
  at = writeVarint(to, at, offset)
  at = writeBytes(to, at, key)
  at = writeBytes(to, at, outgoing.value)
  const names = Object.keys(outgoing.headers)
  at = writeVarint(to, at, names.length)
  for (const name of names) {
    at = writeBytes(to, at, nameBytes(name))
    at = writeBytes(to, at, outgoing.headers[name] as Buffer)
  }
  return at
}

function writeBytes(to: Buffer, start: number, bytes: Uint8Array): number {
  const at = writeVarint(to, start, bytes.length)
  to.set(bytes, at)
  return at + bytes.length
}

// Zigzag of a number that is not negative.
function writeVarint(to: Buffer, start: number, value: number): number {
  let rest = value * 2
  let at = start
  while (rest >= 0x80) {
    to[at++] = (rest & 0x7f) | 0x80
    rest = Math.floor(rest / 128)
  }
  to[at++] = rest
  return at
}

function sizeOf(value: number): number {
  if (value < 1 << 6) return 1
  if (value < 1 << 13) return 2
  if (value < 1 << 20) return 3
  return value < 1 << 27 ? 4 : 5
}
