import type { Assignment, Commit } from '../assignment.ts'
import type { OpenCluster } from './open-cluster.ts'

/**
 * A partition of an assignment, and what is done with it:
 *
 *   idle ──▶ fetching ──▶ out ◀──▶ ahead      fetching, out ──▶ idle
 *
 * - `idle`: it may be fetched.
 * - `fetching`: a request for it is under way.
 * - `out`: what it has brought is handed out, one after the other.
 * - `ahead`: it has run as far as it may ahead of a delivery that is not done, and waits.
 */
export interface Lane {
  topic: string
  partition: number
  /** Where to read on. */
  offset: bigint
  phase: 'idle' | 'fetching' | 'out' | 'ahead'
  /** How often in a row it could not be read. */
  failures: number
  /** Why not, the last time. */
  failure?: string | undefined
  /** It is not fetched before; ms of `performance.now()`. */
  dueAt: number
}

/** The partitions of an assignment, each at what the group has committed, or at its beginning. */
export async function startingLanes(cluster: OpenCluster, group: string, mine: Assignment): Promise<Lane[]> {
  const owned = mine.partitions()
  const wanted = new Map(owned.map(([topic, of]) => [topic, new Map(of.map(partition => [partition, 0n]))]))
  const committed = await cluster.committed(group, wanted)
  const fresh = owned.filter(([topic, of]) => of.some(partition => committed.get(topic)?.get(partition) === undefined))
  const beginnings = await cluster.offsets(
    fresh.map(([topic]) => topic),
    'beginning'
  )
  return owned.flatMap(([topic, partitions]) =>
    partitions.map((partition): Lane => {
      const offset = committed.get(topic)?.get(partition) ?? beginnings.get(topic)?.get(partition) ?? 0n
      return { topic, partition, offset, phase: 'idle', failures: 0, dueAt: 0 }
    })
  )
}

/** Lets lanes read on from other offsets. */
export function moveTo(lanes: readonly Lane[], offsets: readonly Commit[]): void {
  for (const { topic, partition, offset } of offsets) {
    const lane = lanes.find(of => of.topic === topic && of.partition === partition)
    if (lane === undefined) continue
    lane.offset = offset
    // A request that is under way is looked at when it is answered.
    if (lane.phase !== 'fetching') lane.phase = 'idle'
  }
}

/** Which partitions cannot be read, and why. */
export function describeFailures(lanes: readonly Lane[]): string | undefined {
  const failed = lanes.filter(({ failure }) => failure !== undefined)
  if (failed.length === 0) return undefined
  const byReason = Map.groupBy(failed, ({ topic, failure }) => `${topic}: ${failure}`)
  return [...byReason]
    .map(([reason, of]) => `partition ${of.map(({ partition }) => partition).join(', ')} of ${reason}`)
    .join('; ')
}
