import { serialQueue } from '@steadfast/events/runtime'
import type { Database } from './database.ts'
import { countOut, type Holding, type Holdings, holdingOf, reconcile } from './holdings.ts'
import type { Logger } from './options.ts'
import { planShare } from './plan-share.ts'
import { beat } from './sql/beat.ts'
import { claimLeases } from './sql/claim-leases.ts'
import { commitOffsets } from './sql/commit-offsets.ts'
import type { Identity } from './sql/identity.ts'
import { leaveGroup } from './sql/leave-group.ts'
import { readLeases } from './sql/read-leases.ts'
import { readMembers } from './sql/read-members.ts'
import { releaseLeases } from './sql/release-leases.ts'

export interface MembershipOptions {
  db: Database
  identity: Identity
  holdings: Holdings
  leaseMs: number
  logger: Logger
  /** Shares have changed: other members should look. */
  regrouped(): void
  /** Partitions were lost, and what was handed out of them with them. */
  onLost(): void
}

/** A member's part in sharing the partitions of a group. */
export interface Membership {
  /** Stays alive, gives back what is over the fair share, takes what is free. */
  keep(): Promise<void>
  /** Writes the offsets that have moved. */
  commit(): Promise<void>
  /** Runs when no statement on this member's leases is under way. */
  alone<T>(work: () => Promise<T>): Promise<T>
  leave(timeoutMs: number): Promise<void>
  /** Until when (ms, monotonic) nobody else can own what this member owns. */
  readonly trustedUntil: number
}

export function createMembership(options: MembershipOptions): Membership {
  const { db, identity, holdings, leaseMs, logger, regrouped, onLost } = options
  // Work on one member's rows goes one after the other: it keeps statements from waiting for each other in a circle.
  const { run: alone } = serialQueue()
  let trustedUntil = 0
  let changed = false

  async function keep(): Promise<void> {
    const started = performance.now()
    changed = (await beat(db, identity, leaseMs)) || changed
    const [members, leases] = await Promise.all([
      readMembers(db, identity.group),
      readLeases(db, identity.group, identity.topics)
    ])
    lose(reconcile(holdings, identity.id, leases).lost)
    trustedUntil = started + leaseMs
    const { surplus, claim } = planShare(identity.id, members, leases)
    changed = (await release(surplus)) || changed
    const claimed = claim.length === 0 ? [] : await claimLeases(db, identity, claim, leaseMs)
    for (const { id, generation, offset } of claimed) {
      const lease = leases.find(candidate => candidate.id === id)
      if (lease) holdings.set(id, holdingOf(lease, generation, offset))
    }
    if (claimed.length > 0) logger.debug({ group: identity.group, partitions: claimed.length }, 'took partitions')
    if (changed) regrouped()
    changed = false
  }

  async function release(surplus: readonly number[]): Promise<boolean> {
    const now = performance.now()
    for (const holding of holdings.values()) {
      if (!surplus.includes(holding.id)) delete holding.leaveBy
      else holding.leaveBy ??= now + leaseMs
    }
    const leaving = [...holdings.values()].filter(
      ({ leaveBy, prefix }) => leaveBy !== undefined && (prefix.out === 0 || leaveBy <= now)
    )
    if (leaving.length === 0) return false
    await commitOf(leaving)
    for (const { id } of leaving) holdings.delete(id)
    await releaseLeases(
      db,
      identity,
      leaving.map(({ id }) => id).sort((a, b) => a - b)
    )
    logger.debug({ group: identity.group, partitions: leaving.length }, 'gave partitions back')
    return true
  }

  async function commitOf(which: readonly Holding[]): Promise<void> {
    const moved = which
      .filter(({ prefix, committed }) => prefix.end > committed)
      .sort((a, b) => a.id - b.id)
      .map(holding => ({ holding, prefix: holding.prefix, offset: holding.prefix.end }))
    if (moved.length === 0) return
    const written = await commitOffsets(
      db,
      identity,
      moved.map(({ holding: { id, generation }, offset }) => ({ id, generation, offset }))
    )
    for (const { holding, prefix, offset } of moved) {
      if (written.has(holding.id) && holding.prefix === prefix) holding.committed = offset
    }
    const lost = moved.map(({ holding }) => holding).filter(({ id }) => !written.has(id))
    for (const holding of lost) if (holdings.get(holding.id) === holding) holdings.delete(holding.id)
    lose(lost)
  }

  function lose(lost: readonly Holding[]): void {
    if (lost.length > 0) onLost()
    for (const { topic, partition, prefix } of lost) {
      logger.warn(
        { group: identity.group, topic, partition, unfinished: prefix.out },
        'lost a partition to another member'
      )
    }
  }

  return {
    keep: () => alone(keep),
    commit: () => alone(() => commitOf([...holdings.values()])),
    alone,
    leave: timeoutMs =>
      alone(async () => {
        const out = countOut(holdings)
        await commitOf([...holdings.values()]).finally(() => holdings.clear())
        await leaveGroup(db, identity, timeoutMs)
        if (out > 0) logger.warn({ group: identity.group, unfinished: out }, 'left with unfinished deliveries')
        regrouped()
      }),
    get trustedUntil() {
      return trustedUntil
    }
  }
}
