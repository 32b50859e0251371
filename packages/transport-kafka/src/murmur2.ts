const SEED = 0x9747b28c
const M = 0x5bd1e995

/** The murmur2 hash of Kafka's Java client, as a signed 32-bit integer. */
export function murmur2(data: Uint8Array): number {
  const { length } = data
  let h = (SEED ^ length) | 0
  let i = 0
  for (; i + 4 <= length; i += 4) {
    let k = at(data, i) | (at(data, i + 1) << 8) | (at(data, i + 2) << 16) | (at(data, i + 3) << 24)
    k = Math.imul(k, M)
    k ^= k >>> 24
    k = Math.imul(k, M)
    h = Math.imul(h, M) ^ k
  }
  const rest = length - i
  if (rest === 3) h ^= at(data, i + 2) << 16
  if (rest >= 2) h ^= at(data, i + 1) << 8
  if (rest >= 1) h = Math.imul(h ^ at(data, i), M)
  h ^= h >>> 13
  h = Math.imul(h, M)
  return h ^ (h >>> 15)
}

/** The partition of a key, as Kafka's Java client and kafkajs' DefaultPartitioner choose it. Pinned: changing it moves keys. */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}

function at(data: Uint8Array, i: number): number {
  return data[i] as number
}
