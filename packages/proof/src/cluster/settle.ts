import { setTimeout as sleep } from 'node:timers/promises'
import type { Bounds, FinalState } from '../check/evidence.ts'
import { allowedDead } from '../check/invariants/health.ts'
import { observeFinalState } from './collect.ts'
import type { Cluster } from './start-cluster.ts'

/** What is unfinished in a service's tables, and what still happens there. */
const OPEN = `select
  (select count(*) from steadfast.event where due or status = 'NEW' or (status = 'PUBLISHED' and awaits_from is not null))::int as events,
  (select count(*) from steadfast.inbox i where state in ('RETRY', 'HELD') or state = 'UNKNOWN' and type like 'proof.%' or state = 'BLOCKED' and not exists (
     select from steadfast.inbox u where u.consumer = i.consumer and u.topic = i.topic and u.key = i.key and u.arrival < i.arrival
       and u.state = 'UNKNOWN' and u.type not like 'proof.%'))::int as deliveries,
  (select count(*) from steadfast.replay where stopped_at is null and ended_at is null)::int as replays,
  (select coalesce(max(extract(epoch from deadline - clock_timestamp()) * 1000), 0) from steadfast.event where status = 'PUBLISHED' and not due)::float8 as "dueInMs"`

interface Open {
  events: number
  deliveries: number
  replays: number
  dueInMs: number
}

export interface SettleOptions {
  bounds: Bounds
  /** What a person does meanwhile; resolves with how much there was to do. */
  work(): Promise<number>
  log(line: string): void
  /** However much moves: what is not finished by then does not finish. Default a quarter of an hour. */
  longestMs?: number | undefined
}

const LOOK_MS = 500
/** A look reads whole tables: it has a quarter of the time at most, so that what it looks at can settle. */
const REST = 3
const LONGEST_REST_MS = 10_000
export const LONGEST_MS = 900_000

/** So long nothing may change, with nothing left to wait for, before the rest counts as stuck. */
const isStuck = (open: Open[], unchangedMs: number, bounds: Bounds) =>
  unchangedMs > Math.max(0, ...open.map(({ dueInMs }) => dueInMs)) + bounds.unfinishedMs

/**
 * After the last fault: waits until every row is finished or waits for a person, and all is as at rest; or until what
 * is left is overdue. Resolves with how everything stands then; the checker judges.
 */
export async function settle(
  cluster: Cluster,
  { bounds, work, log, longestMs = LONGEST_MS }: SettleOptions
): Promise<FinalState> {
  const { pools } = cluster
  await cluster.ready(bounds.unfinishedMs * 3).catch(error => log((error as Error).message))
  const begun = performance.now()
  let last = ''
  let changed = performance.now()
  for (;;) {
    const lookedAt = performance.now()
    const left = await work()
    const open = await Promise.all(
      [pools.market, pools.deploy].map(async pool => (await pool.query(OPEN)).rows[0] as Open)
    )
    const final = await observeFinalState(cluster)
    const rest = open.reduce((sum, { events, deliveries, replays }) => sum + events + deliveries + replays, left)
    if (rest === 0 && isAtRest(final, bounds)) return final
    const text = JSON.stringify([open.map(o => [o.events, o.deliveries, o.replays]), left, final.lag, final.notReady])
    if (text !== last) {
      changed = performance.now()
      log(`settling: ${text}`)
    }
    last = text
    if (isStuck(open, performance.now() - changed, bounds) || performance.now() - begun > longestMs) return final
    const tookMs = performance.now() - lookedAt
    await sleep(Math.max(LOOK_MS, Math.min(LONGEST_REST_MS, REST * tookMs)))
  }
}

function isAtRest({ lag, notReady, vacuum, claimBuffers, idleInTransaction }: FinalState, bounds: Bounds): boolean {
  return (
    Object.values(lag).every(n => n === '0') &&
    notReady.length === 0 &&
    idleInTransaction === 0 &&
    Object.values(vacuum).every(({ dead, live }) => dead <= allowedDead(live, bounds)) &&
    Object.values(claimBuffers).every(n => n <= bounds.claimBuffers)
  )
}
