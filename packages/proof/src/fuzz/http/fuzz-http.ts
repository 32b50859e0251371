import { join } from 'node:path'
import { freePort, until } from '@steadfast/dev-services'
import { createOperator } from '../../chaos/operate.ts'
import { judge } from '../../cluster/judge.ts'
import { type Cluster, startCluster } from '../../cluster/start-cluster.ts'
import { superviseService } from '../../cluster/supervise.ts'
import type { PartOptions } from '../../part.ts'
import { randomFrom } from '../../random.ts'
import { account } from './account.ts'
import { attack } from './attack.ts'
import { readLogs } from './read-logs.ts'
import { installSchemathesis } from './schemathesis/install.ts'

export interface FuzzHttpOptions extends Omit<PartOptions, 'postgresUrl'> {
  /** Random cases per operation, and random orders times ten. */
  count: number
}

/**
 * What the checker does not know of schemathesis: its orders and deeds stand in no journal, so that `account` answers for
 * invariants 1 and 14; and a replay repeats effects on purpose.
 */
const ON_PURPOSE = /^invariant (?:(?:1|14):|2: \S+ had its effect \d+ times)/

/** Processes of the services, by their ids: none may have ended. */
const endedOf = ({ journal }: Cluster): string[] =>
  journal.entries.flatMap(entry =>
    entry.kind === 'exit' ? [`${entry.target} ended: code ${entry.code}, signal ${entry.signal}`] : []
  )

/** One more market, which may ask deploy's ledger: it is the one that is attacked. */
async function addMarketWithPeer({ processes, environmentOf, dir, journal, ready }: Cluster): Promise<void> {
  const name = 'market-3'
  const deploy = processes.find(p => p.service === 'deploy') as { url: string }
  const { PEER_TOKEN: token = '' } = environmentOf('deploy')
  const env = { ...environmentOf('market'), DEPLOY_URL: deploy.url, DEPLOY_TOKEN: token }
  const logFile = join(dir, 'logs', `${name}.log`)
  processes.push(superviseService({ name, service: 'market', port: await freePort(), env, logFile, journal }))
  await ready()
}

const WORK_MS = 60_000

/** Lets the time of all that sleeps come at once: an order may ask for a day of it. */
const wake = ({ pools }: Cluster) =>
  pools.deploy.query(
    `update deployment set due_at = clock_timestamp() where status = 'WORKING' and step = 'sleep' and due_at > clock_timestamp()`
  )

/** Waits until deploy has ended its work. Returns what it does not end: then nothing would ever settle. */
async function endWork(cluster: Cluster): Promise<string[]> {
  const left = async () => {
    await wake(cluster)
    const text = `select id, product, plan, parameters, step, last_error from deployment where status = 'WORKING'`
    return (await cluster.pools.deploy.query(text)).rows
  }
  const isDone = async () => (await left()).length === 0
  const isInTime = await until(isDone, { timeoutMs: WORK_MS, intervalMs: 500 }).catch(() => false)
  return isInTime ? [] : (await left()).map(row => `deploy never ends ${JSON.stringify(row)}`)
}

/**
 * Attacks every HTTP route of market and deploy over real servers: what their OpenAPI documents allow and forbid,
 * forged credentials, posts of other sites, bytes that are hardly HTTP. Every question must be answered or refused with
 * a code; nobody without the right may change a row; no process may end; all that was acknowledged must be there and
 * settle.
 */
export async function fuzzHttp(options: FuzzHttpOptions): Promise<string[]> {
  const { seed, log } = options
  const command = await installSchemathesis(log)
  const random = randomFrom(seed)
  const cluster = await startCluster({ sessionTimeoutMs: 6000, confirmWithinMs: 3000 })
  const { processes, dir } = cluster
  const violations: string[] = []
  try {
    await addMarketWithPeer(cluster)
    const attacked = await attack(cluster, { ...options, command, random })
    violations.push(...attacked.violations, ...endedOf(cluster))
    for (const process of processes) {
      const reason = await process.unfitness()
      if (reason !== undefined) violations.push(`${process.name} after the attack: ${reason}`)
    }
    const stuck = await endWork(cluster)
    violations.push(...stuck)
    if (stuck.length === 0) {
      const operator = createOperator(cluster, random.fork('operator'))
      const work = () => wake(cluster).then(() => operator.work())
      const judged = await judge(cluster, { deleted: [], work, log })
      violations.push(...judged.violations.filter(text => !ON_PURPOSE.test(text)))
    }
    violations.push(...(await account(cluster, attacked.exchanges, attacked)), ...(await readLogs(dir)))
    log(`fuzz: ${attacked.exchanges.length} requests, ${violations.length} violations`)
  } finally {
    await cluster.stop({ keep: violations.length > 0 })
  }
  return violations.map(text => `${text}\n  (fuzz of HTTP, seed ${seed}; ${dir})`)
}
