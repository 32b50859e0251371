import { setTimeout as sleep } from 'node:timers/promises'
import {
  decodeConsumerProtocolAssignment,
  decodeConsumerProtocolSubscription,
  encodeConsumerProtocolAssignment,
  encodeConsumerProtocolSubscription,
  joinGroupV9,
  syncGroupV5
} from '@platformatic/kafka'
import { brokerError, nameOfError } from '../broker-error.ts'
import type { Membership } from '../driver.ts'
import type { Settings } from '../options.ts'
import { dealPartitions, type Reader } from '../share.ts'
import type { Connections } from './connections.ts'
import { type Coordinator, mayBeFoundLater } from './coordinator.ts'
import type { OpenCluster } from './open-cluster.ts'

/** What a member is told when the group is dealt: by which name and number it speaks, and what it owns. */
export interface Generation {
  memberId: string
  generationId: number
  owned: Record<string, readonly number[]>
}

interface Parts {
  coordinator: Coordinator
  connections: Connections
  cluster: OpenCluster
  settings: Settings
  membership: Membership
  isLeft(): boolean
}

const PROTOCOL = 'consumer'

/**
 * In the order of preference: members of one group may read different topics, and each partition goes to a member that
 * reads its topic. The second is for a group in which processes of the first versions run, which know nothing else: the
 * broker lets nobody join who has no assigner in common with all others.
 */
const ASSIGNERS = ['SteadfastAssigner', 'RoundRobinAssigner']

const RETRY_MS = 200

/**
 * Joins the group, or joins it again, and resolves when partitions have been dealt. A coordinator that is not there yet is
 * waited for, as long as a session lasts.
 *
 * @returns undefined when the member was stopped meanwhile
 */
export async function joinGroup(parts: Parts, before: string): Promise<Generation | undefined> {
  const { coordinator, connections, settings, membership, isLeft } = parts
  const { group, instanceId } = membership
  const { sessionTimeoutMs, rebalanceTimeoutMs } = settings
  const giveUpAt = performance.now() + sessionTimeoutMs
  let memberId = before
  while (!isLeft()) {
    const protocols = await describeSelf(parts)
    const joined = await coordinator.ask(
      connections,
      joinGroupV9.api,
      group,
      sessionTimeoutMs,
      Math.max(rebalanceTimeoutMs, sessionTimeoutMs),
      memberId,
      instanceId,
      PROTOCOL,
      protocols,
      null
    )
    const refused = nameOfError(joined.errorCode)
    if (refused === 'MEMBER_ID_REQUIRED') memberId = joined.memberId
    else if (refused === 'UNKNOWN_MEMBER_ID') memberId = ''
    else if (refused !== undefined) await laterOrNever(refused, giveUpAt, group)
    else {
      memberId = joined.memberId
      // A member that came back in its own place leads a group that is not dealt anew.
      const deals = joined.leader === memberId && !joined.skipAssignment
      const shares = deals ? await deal(parts, joined.members) : []
      const { generationId, protocolName } = joined
      const synced = await coordinator.ask(
        connections,
        syncGroupV5.api,
        group,
        generationId,
        memberId,
        instanceId,
        PROTOCOL,
        protocolName,
        shares
      )
      const error = nameOfError(synced.errorCode)
      if (error === undefined) return { memberId, generationId, owned: readOwned(synced.assignment) }
      if (error === 'UNKNOWN_MEMBER_ID') memberId = ''
      else if (error !== 'REBALANCE_IN_PROGRESS' && error !== 'ILLEGAL_GENERATION')
        await laterOrNever(error, giveUpAt, group)
    }
  }
  return undefined
}

async function laterOrNever(error: string, giveUpAt: number, group: string): Promise<void> {
  if (!mayBeFoundLater(error) || performance.now() > giveUpAt)
    throw brokerError(error, `group ${group} could not be joined: the broker answered ${error}`)
  await sleep(RETRY_MS)
}

/**
 * What the member says of itself: its topics, and how many partitions each has, so that whoever deals need not ask about
 * topics that it does not read, and may have no right to see.
 */
async function describeSelf({ cluster, membership: { topics } }: Parts) {
  const views = await cluster.topics(topics)
  const counts = Object.fromEntries([...views].map(([topic, { leaders }]) => [topic, leaders.length]))
  const userData = Buffer.from(JSON.stringify(counts))
  const metadata = encodeConsumerProtocolSubscription({ version: 0, topics: [...topics], userData })
  return ASSIGNERS.map(name => ({ name, metadata }))
}

async function deal({ cluster }: Parts, members: readonly { memberId: string; metadata: Buffer }[]) {
  const readers = members.map(({ memberId, metadata }): Reader => {
    const { topics, userData } = decodeConsumerProtocolSubscription(metadata)
    return { id: memberId, topics, partitions: readCounts(userData) }
  })
  // Members of the first versions do not say it.
  const uncounted = [...new Set(readers.flatMap(({ topics }) => topics))].filter(
    topic => !readers.some(({ partitions }) => partitions[topic] !== undefined)
  )
  const views = await cluster.topics(uncounted)
  const asked = Object.fromEntries([...views].map(([topic, { leaders }]) => [topic, leaders.length]))
  const shares = dealPartitions(readers.map(reader => ({ ...reader, partitions: { ...asked, ...reader.partitions } })))
  return [...shares].map(([memberId, share]) => ({
    memberId,
    assignment: encodeConsumerProtocolAssignment({
      version: 0,
      assignedPartitions: Object.entries(share).map(([topic, partitions]) => ({ topic, partitions })),
      userData: Buffer.alloc(0)
    })
  }))
}

function readCounts(userData: Buffer): Record<string, number> {
  if (userData.length === 0) return {}
  try {
    const counts: unknown = JSON.parse(userData.toString())
    return typeof counts === 'object' && counts !== null ? (counts as Record<string, number>) : {}
  } catch {
    // Another client's.
    return {}
  }
}

function readOwned(assignment: Buffer): Record<string, readonly number[]> {
  const { assignedPartitions } = decodeConsumerProtocolAssignment(assignment)
  return Object.fromEntries(assignedPartitions.map(({ topic, partitions }) => [topic, partitions]))
}
