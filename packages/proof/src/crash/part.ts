import { setMaxListeners } from 'node:events'
import { createOperator } from '../chaos/operate.ts'
import { sendRequests } from '../chaos/send-requests.ts'
import { judge } from '../cluster/judge.ts'
import { type Cluster, startCluster } from '../cluster/start-cluster.ts'
import type { Part, PartOptions, PartResult } from '../part.ts'
import { type Random, randomFrom } from '../random.ts'
import { crashInMigration } from './crash-migration.ts'
import { crashOnce } from './crash-once.ts'
import { CRASH_POINTS, type CrashPoint } from './points.ts'

export interface CrashOptions extends Omit<PartOptions, 'profile' | 'postgresUrl'> {
  /** How often each point is reached. */
  times: number
  /** Default: all. */
  points?: readonly CrashPoint[]
}

// a crash at nearly every second: consumers must be replaced faster than by Kafka's 6 seconds
const SESSION_TIMEOUT_MS = 2500
const CONFIRM_WITHIN_MS = 3000
/** Requests per second. */
const RATE = 10

/** Every process of the service in turn, one crash after the other; resolves with the points that were not reached. */
async function crashAll(
  cluster: Cluster,
  points: readonly CrashPoint[],
  random: Random,
  log: (line: string) => void
): Promise<string[]> {
  const missed: string[] = []
  for (const point of points) {
    const target = random.pick(cluster.processes.filter(p => p.service === point.service))
    try {
      await crashOnce(cluster, target, point)
      log(`crashPoints: ${target.name} died and came back: ${point.words} (${point.at})`)
    } catch (error) {
      missed.push((error as Error).message)
    }
  }
  return missed
}

/** Processes die at exact points under load; then healing, and the checker. */
export async function runCrashPoints(options: CrashOptions): Promise<PartResult> {
  const { seed, times, log, points = CRASH_POINTS } = options
  const random = randomFrom(seed)
  const cluster = await startCluster({ sessionTimeoutMs: SESSION_TIMEOUT_MS, confirmWithinMs: CONFIRM_WITHIN_MS })
  const { processes, journal, postgres, dir } = cluster
  log(`crashPoints: ${points.length + 1} points, ${times} times; journal and logs in ${dir}`)
  const [stop, giveUp] = [new AbortController(), new AbortController()]
  setMaxListeners(0, stop.signal, giveUp.signal)
  let keep = true
  try {
    const urls = processes.filter(p => p.service === 'market').map(p => p.url)
    const load = {
      urls,
      rate: RATE,
      random: random.fork('requests'),
      journal,
      stop: stop.signal,
      giveUp: giveUp.signal
    }
    const sent = sendRequests(load)
    const operator = createOperator(cluster, random.fork('operator'))
    const operated = operator.keepWorking(stop.signal)
    const found: string[] = []
    for (let n = 0; n < times; n++) {
      const queues = (['market', 'deploy'] as const).map(service => {
        const own = random.shuffle(points.filter(point => point.service === service))
        return crashAll(cluster, own, random.fork(`${service} ${n}`), log)
      })
      found.push(...(await Promise.all([...queues, crashInMigration(postgres.url)])).flat())
    }
    stop.abort()
    await Promise.all([sent, operated])
    const { evidence, violations } = await judge(cluster, { deleted: [], work: operator.work, log })
    const all = [...found, ...violations]
    keep = all.length > 0
    const crashes = (points.length + 1) * times - found.length
    const events = evidence.market.events.length + evidence.deploy.events.length
    return {
      figures: { crashPoints: crashes, events, kills: crashes },
      violations: all.map(text => `${text}\n  (crashPoints, seed ${seed}; ${dir})`)
    }
  } finally {
    stop.abort()
    giveUp.abort()
    await cluster.stop({ keep })
  }
}

const TIMES = { ci: 1, full: 10 }

/** Processes that die at the worst moments, exactly. */
export const crashPoints: Part = {
  name: 'crashPoints',
  run: options => runCrashPoints({ ...options, times: TIMES[options.profile] })
}

/** The same, so many times each. */
export const crashesOf = (times: number): Part => ({
  name: 'crashPoints',
  run: options => runCrashPoints({ ...options, times })
})
