import { createPrefix, type Prefix } from './prefix.ts'
import type { Lease } from './sql/read-leases.ts'

/** A partition that this member owns. */
export interface Holding {
  id: number
  topic: string
  partition: number
  generation: number
  /** The next offset to hand out. */
  next: number
  /** Replaced by a rewind: deliveries of an earlier one are stale. */
  prefix: Prefix
  /** The offset that the database is known to have. */
  committed: number
  /** Set while it is being given back: nothing is handed out, and it goes when all is done or at this time (ms, monotonic). */
  leaveBy?: number
}

/** The partitions of one member, by row id. */
export type Holdings = Map<number, Holding>

export function holdingOf({ id, topic, partition }: Lease, generation: number, offset: number): Holding {
  return { id, topic, partition, generation, next: offset, committed: offset, prefix: createPrefix(offset) }
}

/** Starts anew at an offset; what was handed out is stale from here on. */
export function restart(holding: Holding, offset: number): void {
  holding.prefix = createPrefix(offset)
  holding.next = offset
  holding.committed = offset
}

/** How many deliveries are handed out and not done. */
export function countOut(holdings: Holdings): number {
  let out = 0
  for (const { prefix } of holdings.values()) out += prefix.out
  return out
}

/** Takes over what the database says: drops what is lost, adopts what is owned without this member's knowing it. */
export function reconcile(holdings: Holdings, me: string, leases: readonly Lease[]): { lost: Holding[] } {
  const owned = new Map(leases.filter(lease => lease.owner === me).map(lease => [lease.id, lease]))
  const lost = [...holdings.values()].filter(({ id, generation }) => owned.get(id)?.generation !== generation)
  for (const { id } of lost) holdings.delete(id)
  for (const lease of owned.values()) {
    if (!holdings.has(lease.id)) holdings.set(lease.id, holdingOf(lease, lease.generation, lease.offset))
  }
  return { lost }
}
