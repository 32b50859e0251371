import type { ServiceName } from '../../check/look-up.ts'
import type { Cluster } from '../../cluster/start-cluster.ts'
import { OPERATOR_TOKEN } from '../../cluster/start-cluster.ts'
import type { Random } from '../../random.ts'
import { askJson, type Target } from './ask.ts'
import { attackRaw } from './attack-raw.ts'
import { postFromOtherSites } from './cross-site.ts'
import { describe, type Exchange, faultOf } from './exchange.ts'
import { forgeCredentials } from './forge-credentials.ts'
import { type Document, type Operation, operatorOperations } from './operations.ts'
import { orderAnything } from './order-anything.ts'
import { type Ground, prepareGround } from './prepare-ground.ts'
import { runSchemathesis } from './schemathesis/run.ts'
import { changesOf, takeSnapshot } from './snapshot.ts'

export interface AttackOptions {
  command: string
  seed: number
  count: number
  random: Random
  log(line: string): void
}

/** What was asked and answered, and what was wrong with it. */
export interface Attacked {
  exchanges: Exchange[]
  violations: string[]
  /** Orders whose senders went away before the answer. */
  abandoned: number
}

interface Victim extends Target {
  document: Document
  operations: Operation[]
}

const ABANDONED = 40
const OPERATOR_PATHS = '^/reconciliation/'
/** The harness's own route is no part of the product. */
const OWN_PATH = '/notes'

async function victimOf({ processes }: Cluster, service: ServiceName, ground: Ground): Promise<Victim> {
  const { url } = processes.findLast(p => p.service === service) as { url: string }
  const document = (await (await fetch(`${url}/docs/json`)).json()) as Document
  delete document.paths[OWN_PATH]
  return { service, url, document, operations: operatorOperations(document, service, ground) }
}

/** All attacks, one after the other: first those that must change nothing. */
export async function attack(cluster: Cluster, options: AttackOptions): Promise<Attacked> {
  const { log, random } = options
  const market = cluster.processes.find(p => p.service === 'market') as Target
  const exchanges: Exchange[] = []
  const violations: string[] = []
  const take = (name: string, found: { exchanges: Exchange[]; violations: string[] }) => {
    exchanges.push(...found.exchanges)
    violations.push(...oneOfEach(found.violations))
    log(`fuzz: ${name}: ${found.exchanges.length} requests, ${found.violations.length} violations`)
  }
  const ground = await prepareGround(cluster, { service: 'market', url: market.url }, exchanges)
  const victims = [await victimOf(cluster, 'market', ground), await victimOf(cluster, 'deploy', ground)]

  const before = await takeSnapshot(cluster)
  for (const victim of victims) {
    const { service, operations } = victim
    take(`${service} without credentials`, await withoutCredentials(cluster, victim, ground, options))
    const forging = {
      random: random.fork(`credentials of ${service}`),
      peerToken: cluster.environmentOf(service).PEER_TOKEN ?? ''
    }
    take(`${service} with forged credentials`, await forgeCredentials(victim, operations, forging))
    take(`${service} from other sites`, await postFromOtherSites(victim, operations))
  }
  for (const change of changesOf(before, await takeSnapshot(cluster)))
    violations.push(`somebody without the right to it changed ${change}`)

  for (const victim of victims) take(`${victim.service} by its operator`, await asOperator(victim))
  if (changesOf(before, await takeSnapshot(cluster)).length === 0)
    violations.push('the same requests with the right credentials change nothing either: the attack proves nothing')
  for (const victim of victims) {
    take(`${victim.service} by its document`, await byDocument(cluster, victim, ground, options))
    const raw = { random: random.fork(`raw at ${victim.service}`), abandoned: ABANDONED }
    take(`${victim.service} with raw bytes`, await attackRaw(victim, victim.operations, raw))
  }
  take(
    'orders of every kind',
    await orderAnything(victims[0] as Victim, { seed: options.seed, count: options.count * 10 })
  )
  return { exchanges, violations, abandoned: ABANDONED }
}

async function schemathesis(
  cluster: Cluster,
  victim: Victim,
  ground: Ground,
  options: AttackOptions,
  name: string,
  asked: { authorization?: string; paths?: string }
) {
  const { command, seed, count } = options
  const { parked, held, order, deployment } = ground
  const { rows } = await cluster.pools[victim.service].query(
    'select id from steadfast.event order by seq desc limit 40'
  )
  const ids = [parked, held, order, deployment, ...(rows as { id: string }[]).map(({ id }) => id)]
  const { service, url, document } = victim
  const vocabulary = { ids, consumer: service, products: ['sleeper', 'postgres'], plans: ['simulated', 'huge'] }
  const report = await runSchemathesis({
    ...{ command, service, url, document, vocabulary, examples: count, seed, dir: cluster.dir },
    name: `${service}-${name}`,
    ...asked
  })
  return report
}

/** The whole document, as somebody who may do everything. */
async function byDocument(cluster: Cluster, victim: Victim, ground: Ground, options: AttackOptions) {
  const asked = { authorization: `Bearer ${OPERATOR_TOKEN}` }
  const { exchanges, violations } = await schemathesis(cluster, victim, ground, options, 'operator', asked)
  return { exchanges, violations: [...violations, ...faultsOf(exchanges)] }
}

/** The operators' part of the document, as somebody who may do nothing: all is refused, whatever is asked. */
async function withoutCredentials(cluster: Cluster, victim: Victim, ground: Ground, options: AttackOptions) {
  const few = { ...options, count: Math.ceil(options.count / 5) }
  const { exchanges } = await schemathesis(cluster, victim, ground, few, 'nobody', { paths: OPERATOR_PATHS })
  const admitted = exchanges.filter(({ status }) => status !== undefined && status < 400)
  const violations = admitted.map(exchange => describe(exchange, `was answered ${exchange.status} to nobody`))
  return { exchanges, violations: [...violations, ...faultsOf(exchanges)] }
}

/** Every operation once with the right credentials: it must come as far as the rows. */
async function asOperator({ operations, ...target }: Victim) {
  const exchanges: Exchange[] = []
  const violations: string[] = []
  for (const { method, path, body } of operations) {
    const headers = { authorization: `Bearer ${OPERATOR_TOKEN}` }
    const exchange = await askJson(target, { by: 'the operator', method, path, headers, body })
    exchanges.push(exchange)
    const isHeard = [200, 201, 404, 409].includes(exchange.status ?? 0)
    const fault = isHeard ? faultOf(exchange) : `was answered ${exchange.status} to the operator`
    if (fault !== undefined) violations.push(describe(exchange, fault))
  }
  return { exchanges, violations }
}

const faultsOf = (exchanges: readonly Exchange[]): string[] =>
  exchanges.flatMap(exchange => {
    const fault = faultOf(exchange)
    return fault === undefined ? [] : [describe(exchange, fault)]
  })

/** The same fault of the same operation is told once. */
function oneOfEach(violations: readonly string[]): string[] {
  const kindOf = (text: string) => text.split('\n', 1)[0]?.replace(/[0-9a-f-]{36}|\?\S*/gi, '')
  return [...new Map(violations.map(text => [kindOf(text), text])).values()]
}
