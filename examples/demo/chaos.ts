import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '@steadfast/dev-services'
import { deleteAnswers } from './delete-answers.ts'
import type { Loop } from './start-loop.ts'
import type { Service } from './supervise-service.ts'

export interface ChaosOptions {
  signal: AbortSignal
  /** Told what happens. */
  note: (text: string) => void
}

const READY_MS = 60_000
/** Between one fault and the next. */
const SETTLE_MS = 1000

const ready = ({ name, isReady }: Service) =>
  until(isReady, { timeoutMs: READY_MS, intervalMs: 100, what: `${name} to be ready again` })
const bothReady = ({ market, deploy }: Loop) => Promise.all([ready(market), ready(deploy)])

async function killServices(loop: Loop, ...services: Service[]): Promise<void> {
  await Promise.all(services.map(service => service.kill9()))
  await bothReady(loop)
}

async function killBroker({ broker: { own } }: Loop, downMs: number): Promise<void> {
  await own?.kill9()
  await sleep(downMs)
  await own?.restart()
}

/** `-m immediate` where the server is ours; else every connection of both services is cut. */
async function stopDatabase({ database, ledgers }: Loop): Promise<void> {
  if (database.own !== undefined) {
    await database.own.stopImmediate()
    await sleep(500)
    return database.own.start()
  }
  await ledgers.target.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname in ('steadfast_demo_market', 'steadfast_demo_deploy')`
  )
}

/** For a while the broker stores what it is sent, and nobody hears of it. */
async function cutAcknowledgements({ broker: { own } }: Loop): Promise<void> {
  own?.proxy.blackhole('to-client')
  await sleep(2000)
  await own?.proxy.restore()
}

/** Answers that were published while market was down vanish from the log: only resend and replay can bring them back. */
async function loseAnswers(loop: Loop): Promise<number> {
  const { market, ledgers } = loop
  const working = async () => {
    const { rows } = await ledgers.deploy.query(`select count(*)::int as n from deployment where status = 'WORKING'`)
    return rows[0].n >= 2
  }
  await until(working, { timeoutMs: 10_000, what: 'work in progress' }).catch(() => {})
  await market.kill9({ hold: true })
  const { rows } = await ledgers.deploy.query('select clock_timestamp() as at')
  const published = async () => {
    const answers = await ledgers.deploy.query(
      'select from steadfast.event where is_answer and not due and last_sent_at > $1',
      [rows[0].at]
    )
    return answers.rowCount
  }
  await until(published, { timeoutMs: 15_000, what: 'an answer while market is down' }).catch(() => {})
  const deleted = await deleteAnswers(loop.choice.transport, loop.broker.address)
  market.start()
  await bothReady(loop)
  return deleted
}

/** What the chaos has done so far. */
export interface Chaos {
  brokerKills: number
  /** The part of it that has begun, 0 to 1: orders keep pace with it, so that they flow to its end. */
  begun: number
  done: Promise<void>
}

/** Hurts everything that the demo started, one thing after another. */
export function startChaos(loop: Loop, options: ChaosOptions): Chaos {
  const chaos: Chaos = { brokerKills: 0, begun: 0, done: Promise.resolve() }
  const steps = planSteps(loop, chaos, options.note)
  const run = async () => {
    for (const [index, step] of steps.entries()) {
      if (options.signal.aborted) break
      chaos.begun = (index + 1) / steps.length
      await sleep(SETTLE_MS)
      await step()
    }
  }
  chaos.done = run()
  chaos.done.catch(() => {})
  return chaos
}

function planSteps(loop: Loop, chaos: Chaos, note: (text: string) => void): (() => Promise<void>)[] {
  const { market, deploy, broker } = loop
  const kill = async (downMs: number) => {
    if (broker.own === undefined) return note('chaos: this broker is not ours, it stays alive')
    note('chaos: SIGKILL the broker')
    chaos.brokerKills += 1
    await killBroker(loop, downMs)
    await bothReady(loop)
  }
  return [
    async () => {
      note('chaos: SIGKILL market')
      await killServices(loop, market)
    },
    async () => {
      note('chaos: SIGKILL deploy')
      await killServices(loop, deploy)
    },
    () => kill(500),
    async () => {
      note(loop.database.own ? 'chaos: stop PostgreSQL -m immediate' : 'chaos: cut all connections to PostgreSQL')
      await stopDatabase(loop)
      await bothReady(loop)
    },
    async () => {
      if (broker.own === undefined)
        return note('chaos: no proxy in front of this broker, its acknowledgements get through')
      note('chaos: cut the acknowledgements of the broker')
      await cutAcknowledgements(loop)
      await bothReady(loop)
    },
    async () => {
      note('chaos: SIGKILL market and deploy at once')
      await killServices(loop, market, deploy)
    },
    () => kill(1500),
    async () => {
      note('chaos: SIGKILL market, and delete from the log the answers that come meanwhile')
      const deleted = await loseAnswers(loop)
      note(`chaos: ${deleted} records deleted`)
    }
  ]
}
