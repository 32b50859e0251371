import type { Delivery } from '@steadfast/events'
import type { KafkaMessage } from 'kafkajs'
import { type ContiguousPrefix, createContiguousPrefix } from './contiguous-prefix.ts'

/** An offset to commit. */
export interface Commit {
  topic: string
  partition: number
  offset: string
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
  handOut(topic: string, partition: number, message: KafkaMessage, next: bigint): Delivery
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

  return {
    get live() {
      return live
    },
    get out() {
      let out = 0
      for (const run of runs.values()) out += run.out
      return out
    },
    owns: (topic, partition) => runs.has(nameOf(topic, partition)),
    partitions: () => Object.entries(owned),
    run: (topic, partition) => (live ? runs.get(nameOf(topic, partition)) : undefined),
    ahead: (topic, partition) => runs.get(nameOf(topic, partition))?.prefix.ahead ?? 0,
    restart(topic, partition) {
      runs.set(nameOf(topic, partition), { topic, partition, prefix: createContiguousPrefix(), out: 0 })
    },
    handOut(topic, partition, message, next) {
      const name = nameOf(topic, partition)
      const run = runs.get(name)
      const place = run?.prefix.add(next)
      if (run) run.out++
      const delivery: Delivery = {
        topic,
        headers: readHeaders(message),
        raw: message.value ?? EMPTY,
        timestamp: new Date(Number(message.timestamp)),
        position: `${partition}:${message.offset}`,
        done() {
          if (!live || !run || !place || place.done || runs.get(name) !== run) return
          run.out--
          run.prefix.done(place)
          onDone()
        }
      }
      if (message.key) delivery.key = message.key
      return delivery
    },
    uncommitted() {
      const commits: Commit[] = []
      if (!live) return commits
      for (const { topic, partition, prefix } of runs.values()) {
        const offset = prefix.uncommitted()
        if (offset !== undefined) commits.push({ topic, partition, offset: offset.toString() })
      }
      return commits
    },
    committed(commits) {
      for (const { topic, partition, offset } of commits) {
        runs.get(nameOf(topic, partition))?.prefix.committed(BigInt(offset))
      }
    },
    end() {
      live = false
    }
  }
}

// A header that came several times keeps its last value. Not by assignment, which one named __proto__ would not survive.
function readHeaders({ headers = {} }: KafkaMessage): Record<string, Buffer> {
  const read = Object.entries(headers).map(([name, value]): [string, Buffer] => {
    const last = Array.isArray(value) ? value[value.length - 1] : value
    return [name, typeof last === 'string' ? Buffer.from(last) : (last ?? EMPTY)]
  })
  return Object.fromEntries(read)
}

function nameOf(topic: string, partition: number): string {
  return `${topic}/${partition}`
}
