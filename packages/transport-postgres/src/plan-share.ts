import type { Lease } from './sql/read-leases.ts'
import { hashOf } from './topics.ts'

export interface GroupMember {
  id: string
  topics: readonly string[]
}

/** What a member does next: both hold row ids of partitions. */
export interface Share {
  /** Owned, beyond the fair share: to be given back. */
  surplus: number[]
  /** Free and within the fair share: to be taken. */
  claim: number[]
}

/**
 * The fair share of one member, topic by topic: the members that read a topic stand in a row, and each gets the same
 * number of partitions, the first ones one more where it does not come out even. The row starts at another member for
 * each topic, so that topics of one partition spread. Whoever owns something within its share keeps it.
 */
export function planShare(me: string, members: readonly GroupMember[], leases: readonly Lease[]): Share {
  const share: Share = { surplus: [], claim: [] }
  for (const topic of new Set(leases.map(lease => lease.topic))) {
    const readers = members.filter(member => member.topics.includes(topic))
    const place = readers.findIndex(member => member.id === me)
    if (place === -1) continue
    const partitions = leases.filter(lease => lease.topic === topic)
    const turned = (place + hashOf(topic)) % readers.length
    const quota = Math.floor(partitions.length / readers.length) + (turned < partitions.length % readers.length ? 1 : 0)
    const mine = partitions.filter(lease => lease.owner === me)
    const free = partitions.filter(lease => lease.owner === null)
    share.surplus.push(...mine.slice(quota).map(lease => lease.id))
    share.claim.push(...free.slice(0, Math.max(0, quota - mine.length)).map(lease => lease.id))
  }
  return share
}
