import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '@steadfast/dev-services'
import type { NoteBehaviour } from '../../cluster/services/notes.ts'
import type { Cluster } from '../../cluster/start-cluster.ts'
import { askJson, type Target } from './ask.ts'
import type { Exchange } from './exchange.ts'
import { changesOf, takeSnapshot } from './snapshot.ts'

/** What there is for a request to hit. */
export interface Ground {
  /** A parked event of market. */
  parked: string
  /** A delivery that is held at deploy. */
  held: string
  order: string
  deployment: string
}

const NOTES: readonly NoteBehaviour[] = ['ok', 'ok', 'refuse', 'refuse', 'refuse', 'hold', 'hold', 'flaky']
const ORDERS = [
  { product: 'sleeper', plan: 'simulated', parameters: { durationMs: 10 } },
  { product: 'sleeper', plan: 'simulated', parameters: { durationMs: 10, failureRate: 1 } },
  { product: 'sleeper', plan: 'unknown' }
]

const one = async ({ pools }: Cluster, service: 'market' | 'deploy', text: string) =>
  ((await pools[service].query(text)).rows[0] as { id: string } | undefined)?.id

const AT_REST_MS = 90_000
const QUIET_MS = 2500

/** Resolves when no row of either service changes any more. */
async function untilAtRest(cluster: Cluster): Promise<void> {
  let last = await takeSnapshot(cluster)
  const isAtRest = async () => {
    await sleep(QUIET_MS)
    const now = await takeSnapshot(cluster)
    const changes = changesOf(last, now)
    last = now
    return changes.length === 0
  }
  await until(isAtRest, { timeoutMs: AT_REST_MS, what: 'rows at rest' })
}

/** Writes orders and notes of every fate, and waits until each has met its own. The orders' answers are added to `exchanges`. */
export async function prepareGround(cluster: Cluster, market: Target, exchanges: Exchange[]): Promise<Ground> {
  const by = 'preparation'
  for (const body of ORDERS) exchanges.push(await askJson(market, { by, method: 'POST', path: '/orders', body }))
  for (const [index, behaviour] of NOTES.entries()) {
    const name = `${behaviour === 'hold' ? 'held' : 'ground'}-${index}`
    const body = { tag: name, key: name, behaviour, form: 'written' }
    const { status, received } = await askJson(market, { by, method: 'POST', path: '/notes', body })
    if (status !== 202) throw new Error(`a note was answered ${status}: ${received}`)
  }
  const ground = async () => {
    const parked = await one(cluster, 'market', `select id from steadfast.event where status = 'PARKED' limit 1`)
    const held = await one(cluster, 'deploy', `select event_id as id from steadfast.inbox where state = 'HELD' limit 1`)
    const order = await one(cluster, 'market', `select id from orders where status = 'READY'`)
    const deployment = await one(cluster, 'deploy', `select id from deployment where status = 'FAILED' limit 1`)
    return parked && held && order && deployment && { parked, held, order, deployment }
  }
  const found = await until(ground, { timeoutMs: AT_REST_MS, intervalMs: 250, what: 'events of every fate' })
  await untilAtRest(cluster)
  return found
}
