import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kafkaRequirements, type Teardown, until } from '@steadfast/dev-services'
import { countFigures, countMissing, type Figures } from '../count-figures.ts'
import { type Loop, type LoopOptions, startLoop } from '../start-loop.ts'
import type { Service } from '../supervise-service.ts'

export interface TestLoop extends Loop {
  /** The service ends by SIGKILL when it next reaches that point; resolves when it has. */
  crashAt(service: Service, point: string): { crashed(): Promise<unknown> }
  /** Places an order as a customer does: again and again until it is acknowledged. Resolves with its id. */
  order(body?: object): Promise<string>
  /** Resolves with the order as market shows it when it has reached its end. */
  finished(id: string): Promise<{ status: string; reason: string | null }>
  /** Resolves when every order has its end and every request its confirmation. */
  settled(): Promise<Figures>
  /** Waits until all is settled, and looks for anything lost or doubled. `ids`: acknowledged since the last account. */
  accountFor(t: Equal, ids: readonly string[]): Promise<void>
}

interface Equal {
  equal(found: unknown, wanted: unknown, message: string): unknown
}

/** `choice`: another broker than one of its own. */
export type TestLoopOptions = Partial<Pick<LoopOptions, 'choice' | 'env' | 'ownEnv'>>

const LIMIT_MS = 40_000

/** Why there is no Kafka, for tests that need one; `false` where it can be had. */
export async function missingKafka(): Promise<string | false> {
  if (process.env.TEST_NO_KAFKA === '1') return 'no Kafka: TEST_NO_KAFKA=1'
  const requirements = await kafkaRequirements()
  return requirements.ok ? false : `no Kafka: ${requirements.reason}`
}

/** A market and a deploy of their own, with servers of their own that a test may hurt. */
export async function startTestLoop(t: Teardown, options: TestLoopOptions = {}): Promise<TestLoop> {
  const transport = (await missingKafka()) === false ? 'kafka' : 'postgres'
  const { choice = { transport, why: 'a test' }, env, ownEnv = {} } = options
  const orders = mkdtempSync(join(tmpdir(), 'steadfast-crash-'))
  const loop = await startLoop({
    choice,
    databaseUrl: undefined,
    ownEnv,
    env: { CRASH_ORDERS: orders, NODE_OPTIONS: '', ...env },
    nodeArguments: ['--import', new URL('crash-at.ts', import.meta.url).href]
  })
  t.teardown(async () => {
    await loop.stop()
    rmSync(orders, { recursive: true })
    rmSync(loop.logs, { recursive: true })
  })
  const settled = () =>
    until(() => settledFigures(loop), { timeoutMs: LIMIT_MS, intervalMs: 100, what: 'all to settle' })
  let acknowledged = 0
  return {
    ...loop,
    settled,
    async accountFor(t, ids) {
      const figures = await settled()
      acknowledged += ids.length
      t.equal(await countMissing(loop.ledgers.market, ids), 0, 'every acknowledged order has its rows')
      t.equal(figures.accepted, acknowledged, 'a repeated request is one order')
      t.equal(figures.deployed, figures.accepted, 'one deployment per order')
      t.equal(figures.duplicateDeployments, 0, 'none doubled')
      t.equal(figures.parked, 0, 'none left for a person')
    },
    crashAt({ name }, point) {
      const file = join(orders, name)
      writeFileSync(file, point)
      return {
        crashed: () => until(() => !existsSync(file), { timeoutMs: LIMIT_MS, what: `${name} to crash at ${point}` })
      }
    },
    order: (body = SLEEPER) => placeOrder(loop.market.url, body),
    finished: id => until(() => finishedOrder(loop.market.url, id), { timeoutMs: LIMIT_MS, what: `the end of ${id}` })
  }
}

const SLEEPER = { product: 'sleeper', plan: 'simulated', parameters: { durationMs: 100 } }

async function placeOrder(market: string, body: object): Promise<string> {
  const headers = { 'content-type': 'application/json', 'idempotency-key': randomUUID() }
  const request = { method: 'POST', headers, body: JSON.stringify(body) }
  const attempt = async () => {
    try {
      const response = await fetch(`${market}/orders`, { ...request, signal: AbortSignal.timeout(3000) })
      return response.status === 202 && ((await response.json()) as { id: string }).id
    } catch {
      return false
    }
  }
  return until(attempt, { timeoutMs: LIMIT_MS, intervalMs: 50, what: 'an order to be acknowledged' })
}

async function finishedOrder(market: string, id: string) {
  try {
    const response = await fetch(`${market}/orders/${id}`, { signal: AbortSignal.timeout(3000) })
    const order = (await response.json()) as { status: string; reason: string | null }
    return response.ok && ['READY', 'FAILED'].includes(order.status) && order
  } catch {
    return false
  }
}

async function settledFigures({ ledgers }: Loop) {
  try {
    const figures = await countFigures(ledgers)
    return figures.unfinished === 0 && figures.unsettled === 0 && figures
  } catch {
    return false
  }
}
