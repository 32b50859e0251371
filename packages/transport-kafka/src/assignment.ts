import type { Delivery } from '@steadfast/events'
import { type ContiguousPrefix, createContiguousPrefix } from './contiguous-prefix.ts'

/** An offset to commit. */
export interface Commit {
  topic: string
  partition: number
  offset: bigint
}

/** A record as it was fetched. */
export interface Fetched {
  offset: bigint
  timestamp: bigint
  key: Buffer | null
  value: Buffer | null
  headers: readonly (readonly [name: Buffer | null, value: Buffer | null])[]
}

/**
 * One time of owning partitions, from a join until the next. When it ends, all deliveries handed out under it
 * are stale: their `done()` is a no-op.
 */
export interface Assignment {
  readonly live: boolean
  /** Deliveries handed out and not done. */
  readonly out: number
  owns(topic: string, partition: number): boolean
  partitions(): [topic: string, partitions: readonly number[]][]
  /** Stands for the run of a partition since the join or its last rewind; undefined when it is not owned any more. */
  run(topic: string, partition: number): object | undefined
  /** How many deliveries of a partition lie between its offset and the last one handed out. */
  ahead(topic: string, partition: number): number
  /** Begins a new run of a partition: what was handed out of it is stale. */
  restart(topic: string, partition: number): void
  /** Makes the delivery of a message. `next` is the offset behind it. */
  handOut(topic: string, partition: number, record: Fetched, next: bigint): Delivery
  /** What lies before `next` is nobody's delivery: markers of transactions, what was aborted, gaps of a compacted log. */
  skip(topic: string, partition: number, next: bigint): void
  uncommitted(): Commit[]
  committed(commits: readonly Commit[]): void
  end(): void
}

interface Run {
  topic: string
  partition: number
  prefix: ContiguousPrefix
  /** Handed out and not done. */
  out: number
}

const EMPTY = Buffer.alloc(0)

/** `onDone` is called after each `done()` that counts. */
export function createAssignment(owned: Record<string, readonly number[]>, onDone: () => void): Assignment {
  const runs = new Map<string, Run>()
  for (const [topic, partitions] of Object.entries(owned)) {
    for (const partition of partitions) {
      runs.set(nameOf(topic, partition), { topic, partition, prefix: createContiguousPrefix(), out: 0 })
    }
  }
  let live = true
  let out = 0

  return {
    get live() {
      return live
    },
    get out() {
      return out
    },
    owns: (topic, partition) => runs.has(nameOf(topic, partition)),
    partitions: () => Object.entries(owned),
    run: (topic, partition) => (live ? runs.get(nameOf(topic, partition)) : undefined),
    ahead: (topic, partition) => runs.get(nameOf(topic, partition))?.prefix.ahead ?? 0,
    restart(topic, partition) {
      out -= runs.get(nameOf(topic, partition))?.out ?? 0
      runs.set(nameOf(topic, partition), { topic, partition, prefix: createContiguousPrefix(), out: 0 })
    },
    handOut(topic, partition, record, next) {
      const name = nameOf(topic, partition)
      const run = runs.get(name)
      const place = run?.prefix.add(next)
      if (run) {
        run.out++
        out++
      }
      const delivery: Delivery = {
        topic,
        headers: readHeaders(record.headers),
        raw: record.value ?? EMPTY,
        hasNoValue: record.value === null,
        timestamp: new Date(Number(record.timestamp)),
        position: `${partition}:${record.offset}`,
        done() {
          if (!live || !run || !place || place.done || runs.get(name) !== run) return
          run.out--
          out--
          run.prefix.done(place)
          onDone()
        }
      }
      if (record.key) delivery.key = record.key
      return delivery
    },
    skip(topic, partition, next) {
      const prefix = live ? runs.get(nameOf(topic, partition))?.prefix : undefined
      prefix?.done(prefix.add(next))
      onDone()
    },
    uncommitted() {
      const commits: Commit[] = []
      if (!live) return commits
      for (const { topic, partition, prefix } of runs.values()) {
        const offset = prefix.uncommitted()
        if (offset !== undefined) commits.push({ topic, partition, offset })
      }
      return commits
    },
    committed(commits) {
      for (const { topic, partition, offset } of commits) {
        runs.get(nameOf(topic, partition))?.prefix.committed(offset)
      }
    },
    end() {
      live = false
    }
  }
}

// A header that came several times keeps its last value; one whose value is null is none. Not by assignment, which one
// named __proto__ would not survive.
function readHeaders(headers: Fetched['headers']): Record<string, Buffer> {
  const named = headers.map(([name, value]) => [name?.toString() ?? '', value] as const)
  return Object.fromEntries(new Map(named.filter((entry): entry is [string, Buffer] => entry[1] !== null)))
}

function nameOf(topic: string, partition: number): string {
  return `${topic}/${partition}`
}
