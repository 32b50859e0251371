import { randomUUID } from 'node:crypto'
import type { Delivery, SubscribeOptions } from '@steadfast/events'
import type { Announcer } from './announce.ts'
import type { Database } from './database.ts'
import { createDeliverer } from './deliver.ts'
import type { Health } from './health.ts'
import { countOut, type Holding, type Holdings } from './holdings.ts'
import type { Hub } from './hub.ts'
import { type Loop, startLoop } from './loop.ts'
import { createMembership, type Membership } from './membership.ts'
import type { Logger, Settings } from './options.ts'
import type { Identity } from './sql/identity.ts'
import type { Topics } from './topics.ts'

export interface SubscribeContext {
  db: Database
  topics: Topics
  settings: Settings
  logger: Logger
  health: Health
  hub: Hub
  announcer: Announcer
  /** Resolves when the tables are there. */
  ready(): Promise<void>
}

/** A running member of a group: what it owns, and the three loops that keep it, read it and write its offsets. */
export interface Member {
  identity: Identity
  holdings: Holdings
  membership: Membership
  paused: boolean
  closing: boolean
  fetching: Loop
  /** Resolves when nothing is out. */
  idle(): Promise<void>
  /** Resolves when the first attempt to join is over. */
  begun: Promise<void>
  stop(): Promise<void>
}

const COMMIT_GATHER_MS = 10

export function startMember(
  context: SubscribeContext,
  { group, topics, maxInFlight }: SubscribeOptions,
  onDelivery: (delivery: Delivery) => void
): Member {
  const { db, settings, logger, health, hub, announcer } = context
  const identity: Identity = { group, id: randomUUID(), topics: [...topics] }
  const holdings: Holdings = new Map()
  const source = `group ${group} ${identity.id.slice(0, 8)}`
  const regrouped = () => announcer.announce({ groups: [group] })
  const waiting: (() => void)[] = []
  const settleIdle = () => {
    for (const resolve of waiting.splice(0)) resolve()
  }
  const onLost = () => {
    if (countOut(holdings) === 0) settleIdle()
    member.fetching.poke()
  }
  const membership = createMembership({ db, identity, holdings, logger, leaseMs: settings.leaseMs, regrouped, onLost })
  // Whether the last look left something unread, so that room gained is worth another look at once.
  let unread = true
  // One look for each done() would cost a round trip per message, so room is used in some bulk.
  const bulk = Math.max(1, Math.floor(maxInFlight / 8))

  const readable = ({ leaveBy }: Holding) =>
    !member.paused && !member.closing && leaveBy === undefined && performance.now() < membership.trustedUntil
  const onDone = ({ leaveBy, prefix }: Holding) => {
    committing.poke()
    const out = countOut(holdings)
    if (unread && out + bulk <= maxInFlight) member.fetching.poke()
    if (leaveBy !== undefined && prefix.out === 0) keeping.poke()
    if (out === 0) settleIdle()
  }
  const onAdvance = () => member.fetching.poke()
  const { deliver } = createDeliverer({ db, holdings, maxInFlight, logger, onDelivery, readable, onDone, onAdvance })

  const watch = (part: string, run: () => Promise<number>, gatherMs = 0): Loop => {
    const name = `${source} ${part}`
    const reported = async () => {
      const waitMs = await run()
      health.worked(name)
      return waitMs
    }
    return startLoop({ run: reported, onError: error => health.failed(name, error), gatherMs })
  }
  const keeping = watch('lease', async () => {
    await context.ready()
    await context.topics.prepare(identity.topics)
    if (!member.closing) await membership.keep()
    member.fetching.poke()
    return settings.leaseMs / 3
  })
  const fetching = watch('fetch', async () => {
    const { more } = await deliver()
    unread = more || countOut(holdings) >= maxInFlight
    return more ? 0 : settings.pollIntervalMs
  })
  const committing = watch(
    'offset',
    async () => {
      await membership.commit()
      return Number.POSITIVE_INFINITY
    },
    COMMIT_GATHER_MS
  )
  const unhear = hub.add({ group, topics, wake: () => fetching.poke(), regroup: () => keeping.poke() })

  const member: Member = {
    identity,
    holdings,
    membership,
    fetching,
    paused: false,
    closing: false,
    begun: keeping.begun,
    idle: () => new Promise(resolve => (countOut(holdings) === 0 ? resolve() : waiting.push(resolve))),
    async stop() {
      unhear()
      await Promise.all([keeping.stop(), fetching.stop(), committing.stop()])
      for (const part of ['lease', 'fetch', 'offset']) health.forget(`${source} ${part}`)
    }
  }
  return member
}
