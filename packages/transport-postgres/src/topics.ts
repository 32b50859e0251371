import type { Database } from './database.ts'
import { ensureTopic } from './sql/ensure-topic.ts'
import { readPartitions } from './sql/read-partitions.ts'

/** The topics of the log and where their keys go. */
export interface Topics {
  ensure(name: string, partitions: number): Promise<void>
  /** Knows these topics from here on, makes those that are missing, and looks for the others, which may stay missing. */
  prepare(names: readonly string[], others?: readonly string[]): Promise<void>
  knows(topic: string): boolean
  /** The row id of a key's partition. The topic was prepared. */
  partitionId(topic: string, key: string): number
  /** After a failure that a topic's disappearance may have caused. */
  forget(names: readonly string[]): void
}

export function createTopics(db: Database, defaultPartitions: number): Topics {
  const known = new Map<string, number[]>()

  async function read(names: readonly string[]): Promise<string[]> {
    const missing = [...new Set(names)].filter(name => !known.has(name))
    if (missing.length === 0) return missing
    for (const [name, ids] of await readPartitions(db, missing)) known.set(name, ids)
    return missing.filter(name => !known.has(name))
  }

  return {
    ensure: (name, partitions) => ensureTopic(db, name, partitions),
    async prepare(names, others = []) {
      const missing = new Set(await read([...names, ...others]))
      const wanted = names.filter(name => missing.has(name))
      if (wanted.length === 0) return
      for (const name of new Set(wanted)) await ensureTopic(db, name, defaultPartitions)
      await read(wanted)
    },
    knows: topic => known.has(topic),
    partitionId(topic, key) {
      const ids = known.get(topic) ?? []
      return ids[hashOf(key) % ids.length] ?? -1
    },
    forget(names) {
      for (const name of names) known.delete(name)
    }
  }
}

/**
 * FNV-1a, 32 bit, over the key's UTF-8 bytes: the hash of `laneOf` in @steadfast/events before its modulus. Frozen: a
 * stored key's partition depends on it.
 */
export function hashOf(key: string): number {
  let hash = 2166136261
  for (const byte of Buffer.from(key, 'utf8')) hash = Math.imul(hash ^ byte, 16777619)
  return hash >>> 0
}
