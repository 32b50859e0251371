import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  freePort,
  launchPostgres,
  makeTopics,
  type PostgresServer,
  startProxy,
  type TcpProxy,
  until
} from '@steadfast/dev-services'
import { denyWriting } from '@steadfast/dev-services/kafka-acl'
import pg from 'pg'
import { FORBIDDEN_TOPIC } from '../check/look-up.ts'
import { type Journal, openJournal } from './journal.ts'
import { prepareDatabase } from './observe.ts'
import { withAdmin } from './read-log.ts'
import { NOTE_TABLES } from './services/notes.ts'
import type { SmallDisk } from './small-disk.ts'
import { type AttackedKafka, LOGIN, startKafka } from './start-kafka.ts'
import { type ServiceProcess, superviseService } from './supervise.ts'

/** Everything that is attacked, and the harness's own ways to it. */
export interface Cluster {
  postgres: PostgresServer
  /** PostgreSQL's disk, if it is one that can be filled. */
  disk: SmallDisk | undefined
  /** Between each service and its database. */
  databaseProxies: Record<'market' | 'deploy', TcpProxy>
  /** Between each process and the proxy of its service: a fault here is one process's alone. */
  ownDatabaseProxies: ReadonlyMap<string, TcpProxy>
  kafka: AttackedKafka
  /** market-1, market-2, deploy-1, and deploy-2, which is of an older version: see `services/notes.ts`. */
  processes: ServiceProcess[]
  /** Past the proxies. */
  pools: Record<'market' | 'deploy', pg.Pool>
  journal: Journal
  /** Logs of the services, and the journal. */
  dir: string
  /** The environment of a process of a service; without `name`: of one more like its first. */
  environmentOf(service: 'market' | 'deploy', name?: string): Record<string, string>
  /** Resolves when every process says that it can work; rejects with the reasons. */
  ready(timeoutMs?: number): Promise<void>
  /** Ends everything. `keep`: logs and journal stay. */
  stop(options: { keep: boolean }): Promise<void>
}

export interface ClusterOptions {
  /** Kafka's session timeout. */
  sessionTimeoutMs: number
  confirmWithinMs: number
  /** Brokers of Kafka. Default 1. */
  brokers?: 1 | 3
  /** PostgreSQL's disk; default: a temporary directory. */
  disk?: SmallDisk | undefined
}

/** Deadlines in seconds, so that a minute sees what otherwise takes hours. */
const ENVIRONMENT = {
  LOG_LEVEL: 'warn',
  TRANSPORT: 'kafka',
  TOPIC_PARTITIONS: '4',
  SWEEP_INTERVAL_MS: '1000',
  TOPIC_PATIENCE_MS: '4000',
  PROGRESS_EVERY_MS: '1000',
  WORKER_POLL_INTERVAL_MS: '100',
  LEASE_MS: '3000',
  MAX_SENDS: '6',
  PROVISION_SECRET: 'a secret of the proof, nowhere else',
  PROVISION_PREFIX: 'd_'
}
// The log of a small disk has to be small too. With more than nine databases for a second of naptime the launcher,
// which starts at most one worker in 110 ms, may leave one of them out for good; an order can be a database here.
const POSTGRES_SETTINGS = { autovacuum_naptime: '10s', log_min_messages: 'error', max_wal_size: '128MB' }
/** Opens the reconciliation routes. */
export const OPERATOR_TOKEN = 'proof-token-for-a-person'
const READY_MS = 90_000
const NAMES = ['market-1', 'market-2', 'deploy-1', 'deploy-2'] as const
/** What is not of the newest version. */
const OLD_NAME = 'deploy-2'

const at = (url: string, database: string, port?: number) => {
  const address = new URL(url)
  address.pathname = `/${database}`
  if (port !== undefined) address.port = String(port)
  return address.href
}

function openPool(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString, max: 4, connectionTimeoutMillis: 5000, application_name: 'proof' })
  pool.on('error', () => {})
  pool.on('connect', client => void client.on('error', () => {}))
  return pool
}

async function createDatabases(url: string): Promise<Cluster['pools']> {
  const server = openPool(url)
  await server.query('create database market template template0')
  await server.query('create database deploy template template0')
  await server.end()
  const pools = { market: openPool(at(url, 'market')), deploy: openPool(at(url, 'deploy')) }
  await prepareDatabase(pools.market, NOTE_TABLES.market)
  await prepareDatabase(pools.deploy, NOTE_TABLES.deploy)
  return pools
}

/** A topic whose broker compresses what comes, whoever sent it, and one to which nobody may write. */
async function createTopics(brokers: string): Promise<void> {
  const numPartitions = Number(ENVIRONMENT.TOPIC_PARTITIONS)
  const configEntries = [{ name: 'compression.type', value: 'gzip' }]
  const topics = [
    { topic: 'proof.notes', numPartitions, configEntries },
    { topic: FORBIDDEN_TOPIC, numPartitions }
  ]
  await withAdmin(brokers, async admin => {
    await makeTopics(admin, topics)
    await denyWriting(admin, FORBIDDEN_TOPIC)
  })
}

/** Starts servers, proxies and four services, and resolves when all of them can work. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { disk } = options
  const dir = mkdtempSync(join(tmpdir(), 'steadfast-proof-'))
  mkdirSync(join(dir, 'logs'))
  const journal = openJournal(join(dir, 'journal.jsonl'))
  const [postgres, kafka] = await Promise.all([
    launchPostgres({ ...(disk && { dir: join(disk.dir, 'postgres') }), settings: POSTGRES_SETTINGS }),
    startKafka(NAMES, options.brokers ?? 1)
  ])
  await createTopics(kafka.direct)
  const pools = await createDatabases(postgres.url)
  const databaseProxies = {
    market: await startProxy({ targetPort: postgres.port }),
    deploy: await startProxy({ targetPort: postgres.port })
  }
  const serviceOf = (name: string) => (name.startsWith('market') ? 'market' : 'deploy')
  const ownDatabaseProxies = new Map<string, TcpProxy>()
  for (const name of NAMES)
    ownDatabaseProxies.set(name, await startProxy({ targetPort: databaseProxies[serviceOf(name)].port }))
  const environmentOf = (service: 'market' | 'deploy', name = `${service}-1`) => ({
    ...ENVIRONMENT,
    RECONCILIATION_TOKEN: OPERATOR_TOKEN,
    PEER_TOKEN: `proof-token-to-compare-with-${service}`,
    NOTES_VERSION: name === OLD_NAME ? 'old' : 'new',
    KAFKA_BROKERS: kafka.addressFor(name),
    KAFKA_USERNAME: LOGIN.username,
    KAFKA_PASSWORD: LOGIN.password,
    CONSUMER_TIMEOUT_MS: String(options.sessionTimeoutMs),
    CONFIRM_WITHIN_MS: String(options.confirmWithinMs),
    DATABASE_URL: at(postgres.url, service, ownDatabaseProxies.get(name)?.port),
    TARGET_DATABASE_URL: at(postgres.url, 'postgres', databaseProxies.deploy.port)
  })
  const processes: ServiceProcess[] = []
  for (const name of NAMES) {
    const service = serviceOf(name)
    const logFile = join(dir, 'logs', `${name}.log`)
    const env = environmentOf(service, name)
    processes.push(superviseService({ name, service, port: await freePort(), env, logFile, journal }))
  }
  const ready = async (timeoutMs = READY_MS) => {
    let reasons: string[] = []
    const fit = async () => {
      const found = await Promise.all(processes.map(async p => [p.name, await p.unfitness()] as const))
      reasons = found.flatMap(([name, reason]) => (reason === undefined ? [] : [`${name}: ${reason}`]))
      return reasons.length === 0
    }
    await until(fit, { timeoutMs, intervalMs: 250 }).catch(() => {
      throw new Error(`not ready after ${timeoutMs} ms: ${reasons.join(' · ')}`)
    })
  }
  const stop = async ({ keep }: { keep: boolean }) => {
    await Promise.all(processes.map(p => p.kill9({ hold: true })))
    await Promise.all([pools.market.end(), pools.deploy.end()])
    await Promise.all([...ownDatabaseProxies.values()].map(proxy => proxy.close()))
    await Promise.all([databaseProxies.market.close(), databaseProxies.deploy.close(), kafka.stop()])
    await postgres.stop()
    if (!keep) rmSync(dir, { recursive: true, force: true })
  }
  const cluster = {
    postgres,
    disk,
    databaseProxies,
    ownDatabaseProxies,
    kafka,
    processes,
    pools,
    journal,
    dir,
    environmentOf,
    ready,
    stop
  }
  try {
    await ready()
    return cluster
  } catch (error) {
    await stop({ keep: true })
    throw Object.assign(error as Error, { dir })
  }
}
