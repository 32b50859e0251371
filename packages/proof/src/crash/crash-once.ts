import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '@steadfast/dev-services'
import { type Cluster, OPERATOR_TOKEN } from '../cluster/start-cluster.ts'
import type { ServiceProcess } from '../cluster/supervise.ts'
import type { CrashPoint } from './points.ts'

// a rare point, such as a held delivery, comes up once in ten seconds at a process: 40 s would sometimes not do
const REACH_MS = 120_000
// a process that dies while its group is rebalancing holds the others up for Kafka's rebalance timeout, a minute
const READY_MS = 120_000
const SILENCE_MS = 4500

/**
 * Arms a process and resolves when it has ended at the point and works again.
 *
 * @throws when the point is not reached, or the process does not come back
 */
export async function crashOnce(cluster: Cluster, target: ServiceProcess, point: CrashPoint): Promise<void> {
  await isFit(target)
  const { crashed } = await target.crashAt(point.at)
  const provoking = new AbortController()
  const provoked = provoke(cluster, target, point, provoking.signal)
  const late = sleep(REACH_MS, 'late', { ref: false })
  const outcome = await Promise.race([crashed, late])
  provoking.abort()
  await provoked
  if (outcome === 'late') {
    await target.kill9()
    throw new Error(`${target.name} did not reach ${point.at} (${point.words})`)
  }
  await isFit(target)
}

async function isFit(target: ServiceProcess): Promise<void> {
  let reason: string | undefined
  const fit = async () => {
    reason = await target.unfitness()
    return reason === undefined
  }
  await until(fit, { timeoutMs: READY_MS, intervalMs: 200 }).catch(() => {
    throw new Error(`${target.name} cannot work after ${READY_MS} ms: ${reason}`)
  })
}

async function provoke(
  cluster: Cluster,
  target: ServiceProcess,
  { provoke: how }: CrashPoint,
  stop: AbortSignal
): Promise<void> {
  if (how === 'silence') return silence(cluster, stop)
  while (how === 'bulk' && !stop.aborted) {
    await resendMuch(cluster, target)
    await sleep(500, undefined, { signal: stop }).catch(() => {})
  }
}

/** Nobody answers for longer than the first deadline; then everybody does. */
async function silence({ processes }: Cluster, stop: AbortSignal): Promise<void> {
  const deploys = processes.filter(p => p.service === 'deploy')
  while (!stop.aborted) {
    for (const process of deploys) process.pause()
    await sleep(SILENCE_MS, undefined, { signal: stop }).catch(() => {})
    for (const process of deploys) process.resume()
    await sleep(1000, undefined, { signal: stop }).catch(() => {})
  }
}

/** A bulk resend of what was refused. Which of them it reaches is unknown: each may have its audit row. */
async function resendMuch({ pools, journal }: Cluster, target: ServiceProcess): Promise<void> {
  const parked = async () =>
    (await pools.market.query<{ id: string }>(`select id from steadfast.event where status = 'PARKED'`)).rows
  const before = await parked()
  if (before.length < 2) return
  const limit = Math.min(before.length, 5)
  const body = { action: 'resend', filter: { status: 'PARKED' }, note: 'much at once', limit }
  await fetch(`${target.url}/reconciliation/events/bulk`, {
    method: 'POST',
    headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(5000)
  }).catch(() => {})
  // What is parked may change until the request has its turn.
  const after = await parked().catch(() => [])
  for (const eventId of new Set([...before, ...after].map(({ id }) => id)))
    journal.write({ kind: 'operator', service: 'market', action: 'resend', eventId, status: 'unknown' })
}
