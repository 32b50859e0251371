import { SERVICES, type ServiceName } from '../../check/look-up.ts'
import type { Cluster } from '../../cluster/start-cluster.ts'
import { type Exchange, jsonOf, placeOf } from './exchange.ts'

/** Deeds of an operator that the answers speak of, and rows of the audit that they left. */
const DEED = /^\/reconciliation\/(?:events|inbox)\/(?:.+\/)?(resend|resolve|reprocess|release|bulk)$/

/** How many deeds an answer says it did. */
function deedsOf(exchange: Exchange): number {
  const { method, status, path } = exchange
  if (method !== 'POST' || status === undefined || status >= 300) return 0
  const place = placeOf({ path })
  if (/^\/reconciliation\/(?:replays(?:\/[^/]+\/stop)?|erasures)$/.test(place)) return 1
  const deed = DEED.exec(place)?.[1]
  if (deed === undefined) return 0
  return deed === 'bulk' ? Number(jsonOf(exchange)?.done) : 1
}

/**
 * Compares what was answered with what is stored: every order acknowledged is there, and every order there was
 * acknowledged (or its sender went away); every deed of an operator has its row in the audit, and no row is without.
 */
export async function account(
  { pools, journal }: Cluster,
  exchanges: readonly Exchange[],
  { abandoned }: { abandoned: number }
): Promise<string[]> {
  const violations: string[] = []
  const acknowledged = new Set(
    exchanges.flatMap(exchange =>
      exchange.method === 'POST' && placeOf(exchange) === '/orders' && exchange.status === 202
        ? [String(jsonOf(exchange)?.id)]
        : []
    )
  )
  const { rows } = await pools.market.query('select id, plan from orders')
  const stored = new Map((rows as { id: string; plan: string }[]).map(({ id, plan }) => [id, plan]))
  for (const id of acknowledged) if (!stored.has(id)) violations.push(`order ${id} was acknowledged, and is not there`)
  const unasked = [...stored].filter(([id]) => !acknowledged.has(id))
  for (const [id, plan] of unasked)
    if (plan !== 'abandoned') violations.push(`order ${id} is there, and was never acknowledged`)
  if (unasked.length > abandoned) violations.push(`${unasked.length} orders are there whose senders went away`)
  const count = async (service: ServiceName) => {
    // Who only looks is in the audit too.
    const text = `select count(*)::int as n from steadfast.audit where actor <> 'steadfast' and action <> 'view'`
    return ((await pools[service].query(text)).rows[0] as { n: number }).n
  }
  const worked = (service: ServiceName) =>
    journal.entries.filter(e => e.kind === 'operator' && e.service === service && Number(e.status) < 300).length
  for (const service of SERVICES) {
    const done = exchanges.filter(e => e.service === service).reduce((sum, e) => sum + deedsOf(e), worked(service))
    const audited = await count(service)
    if (done !== audited)
      violations.push(`${service} says it did ${done} deeds of operators, and its audit has ${audited}`)
  }
  return violations
}
