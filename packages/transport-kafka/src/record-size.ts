import type { Outgoing } from '@steadfast/events'

/** A message with its place in the caller's batch, and its key as bytes. */
export interface Entry {
  index: number
  key: Buffer
  outgoing: Outgoing
}

/** Bytes of a record batch without records. */
export const BATCH_OVERHEAD = 61

// Length, attributes, timestamp, offset, and the lengths of key, value and headers: at most so many bytes.
const RECORD_OVERHEAD = 31

/** At most so many bytes the record takes in a batch. */
export function maxRecordBytes({ key, outgoing: { headers, value } }: Entry): number {
  let bytes = RECORD_OVERHEAD + key.length + value.length
  for (const name in headers) {
    bytes += 10 + nameBytes(name).length + (headers[name] as Buffer).length
  }
  return bytes
}

const names = new Map<string, Buffer>()

/** The name of a header in bytes. */
export function nameBytes(name: string): Buffer {
  const known = names.get(name)
  if (known) return known
  const bytes = Buffer.from(name)
  if (names.size < 1000) names.set(name, bytes)
  return bytes
}
