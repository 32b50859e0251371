import { randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort, until } from '@steadfast/dev-services'
import pg from 'pg'
import type { Choice } from './choose-transport.ts'
import type { Ledgers } from './count-figures.ts'
import { type Broker, startBroker } from './start-broker.ts'
import { type DatabaseServer, startDatabase } from './start-database.ts'
import { type Service, superviseService } from './supervise-service.ts'

/** Everything that runs: servers, broker, both services, and the way to their ledgers. */
export interface Loop {
  /** Opens reconciliation to a person; made anew at each start. */
  operatorToken: string
  choice: Choice
  database: DatabaseServer
  broker: Broker
  market: Service
  deploy: Service
  marketDatabase: string
  deployDatabase: string
  ledgers: Ledgers
  /** Folder of the services' logs. */
  logs: string
  /** SIGTERM to both services, then the servers. Resolves with the services' exit codes. */
  stop(): Promise<(number | null)[]>
}

export interface LoopOptions {
  choice: Choice
  databaseUrl: string | undefined
  /** More environment for both services. */
  env?: Record<string, string>
  /** More environment for one of them. */
  ownEnv?: Partial<Record<'market' | 'deploy', Record<string, string>>>
  /** More arguments for node, e.g. `--import` of what a test preloads. */
  nodeArguments?: readonly string[]
}

/** Deadlines in seconds, so that one sees what otherwise takes minutes. */
const DEMO_ENV = {
  LOG_LEVEL: 'warn',
  CONFIRM_WITHIN_MS: '4000',
  SWEEP_INTERVAL_MS: '500',
  PROGRESS_EVERY_MS: '1500',
  WORKER_POLL_INTERVAL_MS: '100',
  LEASE_MS: '3000'
}

const newSecret = () => randomBytes(24).toString('base64url')

const module_ = (name: string) => fileURLToPath(new URL(`../${name}/server.ts`, import.meta.url))

function openPool(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString, max: 2, connectionTimeoutMillis: 5000 })
  pool.on('error', () => {})
  return pool
}

/** Starts it all and resolves when both services say that they can work. */
export async function startLoop(options: LoopOptions): Promise<Loop> {
  const { choice, databaseUrl, env = {}, ownEnv = {}, nodeArguments = [] } = options
  const database = await startDatabase(databaseUrl)
  const broker = await startBroker(choice, database)
  const marketDatabase = await database.createDatabase('market')
  const deployDatabase = await database.createDatabase('deploy')
  const logs = mkdtempSync(join(tmpdir(), 'steadfast-demo-'))
  const ports = { market: await freePort(), deploy: await freePort() }
  const operatorToken = newSecret()
  // a broker of ours lets consumers be short of breath; an existing one may insist on Kafka's 6 seconds
  const common = {
    ...DEMO_ENV,
    RECONCILIATION_TOKEN: operatorToken,
    ...broker.env,
    CONSUMER_TIMEOUT_MS: broker.own ? '2500' : '6000',
    ...env
  }
  const service = (name: 'market' | 'deploy', own: Record<string, string>) =>
    superviseService({
      name,
      script: module_(name),
      port: ports[name],
      logFile: join(logs, `${name}.log`),
      env: { ...common, ...own, ...ownEnv[name] },
      nodeArguments
    })
  const deployToken = newSecret()
  const market = service('market', {
    DATABASE_URL: marketDatabase,
    DEPLOY_URL: `http://127.0.0.1:${ports.deploy}`,
    DEPLOY_TOKEN: deployToken
  })
  const deploy = service('deploy', {
    DATABASE_URL: deployDatabase,
    PEER_TOKEN: deployToken,
    TARGET_DATABASE_URL: database.url,
    PROVISION_SECRET: newSecret(),
    PROVISION_PREFIX: database.prefix
  })
  const ledgers = {
    market: openPool(marketDatabase),
    deploy: openPool(deployDatabase),
    target: openPool(database.url),
    prefix: database.prefix
  }
  const stop = async () => {
    const codes = await Promise.all([market.stop(), deploy.stop()])
    await Promise.all([ledgers.market.end(), ledgers.deploy.end(), ledgers.target.end()])
    await broker.stop()
    await database.stop()
    return codes
  }
  const loop = {
    operatorToken,
    choice,
    database,
    broker,
    market,
    deploy,
    marketDatabase,
    deployDatabase,
    ledgers,
    logs,
    stop
  }
  try {
    for (const { name, isReady } of [market, deploy])
      await until(isReady, { timeoutMs: 60_000, intervalMs: 100, what: `${name} to be ready; see ${logs}/${name}.log` })
    return loop
  } catch (error) {
    await stop()
    throw error
  }
}
