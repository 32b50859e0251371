import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Evidence } from '../check/evidence.ts'
import { CLOSED_TOPICS } from '../check/look-up.ts'
import type { Journal } from '../cluster/journal.ts'
import { judge } from '../cluster/judge.ts'
import { LONGEST_MS } from '../cluster/settle.ts'
import { makeSmallDisk, type SmallDisk } from '../cluster/small-disk.ts'
import { startCluster } from '../cluster/start-cluster.ts'
import type { Part, PartOptions, PartResult } from '../part.ts'
import { randomFrom } from '../random.ts'
import { startNemesis } from './nemesis.ts'
import { createOperator } from './operate.ts'
import { sendPoison } from './send-poison.ts'
import { askForBursts, sendRequests } from './send-requests.ts'

export interface ChaosOptions extends Omit<PartOptions, 'profile' | 'postgresUrl'> {
  /** How long faults are injected under load. */
  seconds: number
  /** Requests per second. Default 25. */
  rate?: number
  /** Brokers of Kafka. Default 1. */
  brokers?: 1 | 3
}

const SESSION_TIMEOUT_MS = 6000
const CONFIRM_WITHIN_MS = 3000
/** PostgreSQL's disk; and half a MiB for each second. */
const DISK_MIB = 896

function stopper(): AbortController {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  return controller
}

/** Real services over real servers under load and faults; then healing, and the checker. */
export async function runChaos(options: ChaosOptions): Promise<PartResult> {
  const disk = await makeSmallDisk(DISK_MIB + Math.ceil(options.seconds / 2), options.log)
  try {
    return await attack(disk, options)
  } finally {
    await disk?.stop()
  }
}

async function attack(disk: SmallDisk | undefined, options: ChaosOptions): Promise<PartResult> {
  const { seed, seconds, rate = 25, brokers = 1, log } = options
  const random = randomFrom(seed)
  const deadlines = { sessionTimeoutMs: SESSION_TIMEOUT_MS, confirmWithinMs: CONFIRM_WITHIN_MS }
  const cluster = await startCluster({ ...deadlines, disk, brokers })
  const { processes, journal, kafka, dir } = cluster
  log(`chaos: ${seconds} s, journal and logs in ${dir}`)
  const [stop, giveUp] = [stopper(), stopper()]
  let keep = true
  try {
    const urls = processes.filter(p => p.service === 'market').map(p => p.url)
    const requests = { urls, rate, random: random.fork('requests'), journal, stop: stop.signal, giveUp: giveUp.signal }
    const sent = sendRequests(requests)
    const bursts = askForBursts({ urls, random: random.fork('bursts'), stop: stop.signal })
    const poisoned = sendPoison({ brokers: kafka.direct, random: random.fork('poison'), journal, stop: stop.signal })
    const operator = createOperator(cluster, random.fork('operator'))
    const operated = operator.keepWorking(stop.signal)
    const nemesis = startNemesis({ cluster, random: random.fork('nemesis'), stop: stop.signal, log })
    await sleep(seconds * 1000)
    stop.abort()
    await nemesis.done
    log(`chaos: ${nemesis.faults} faults are over: ${describeFaults(journal)}`)
    await cluster.ready().catch(error => log((error as Error).message))
    const late = sleep(60_000, undefined, { ref: false }).then(() => giveUp.abort())
    await Promise.race([Promise.all([sent, bursts, poisoned, operated]), late])
    await sent
    // What a long attack leaves behind, replays of all that is in the log among it, takes long to read.
    const longestMs = Math.max(LONGEST_MS, seconds * 1000)
    const { deleted } = nemesis
    const { evidence, violations } = await judge(cluster, { deleted, work: operator.work, log, longestMs })
    keep = violations.length > 0
    const kills = processes.reduce((sum, p) => sum + p.kills, 0)
    const brokerKills = journal.entries.filter(
      e => e.kind === 'fault' && e.target === 'kafka' && e.name === 'SIGKILL' && e.phase === 'begin'
    ).length
    const events = evidence.market.events.length + evidence.deploy.events.length
    const figures = { events, faults: nemesis.faults, kills: kills + brokerKills }
    log(`chaos: ${JSON.stringify(figures)}, ${evidence.log.length} records, ${describeClosed(evidence)}`)
    return { figures, violations: violations.map(text => `${text}\n  (seed ${seed}, ${seconds} s; ${dir})`) }
  } finally {
    stop.abort()
    giveUp.abort()
    await cluster.stop({ keep })
  }
}

/** How often each kind came. */
function describeFaults({ entries }: Journal): string {
  const times = new Map<string, number>()
  for (const entry of entries) {
    if (entry.kind !== 'fault' || entry.phase !== 'begin') continue
    const name = entry.target === 'kafka' ? `${entry.name} of Kafka` : entry.name
    times.set(name, (times.get(name) ?? 0) + 1)
  }
  return [...times].map(([name, n]) => `${n} ${name}`).join(', ')
}

/** How many events there were for topics that take nothing. */
function describeClosed({ market }: Evidence): string {
  const count = (topic: string) => market.events.filter(event => event.topic === topic).length
  return [...CLOSED_TOPICS].map(topic => `${count(topic)} events for ${topic}`).join(', ')
}

/** In full: some 23,000 events. What two cores cannot do in these ten minutes comes on top of them. */
const EXTENT = { ci: { seconds: 20, rate: 12 }, full: { seconds: 600, rate: 21, brokers: 3 } } as const

/** The running system under attack for as long as the profile says. */
export const chaos: Part = {
  name: 'chaos',
  run: options => runChaos({ ...options, ...EXTENT[options.profile] })
}

/** The same for so many seconds, with so many requests in each. */
export const chaosOf = (seconds: number, rate: number, brokers: 1 | 3): Part => ({
  name: 'chaos',
  run: options => runChaos({ ...options, seconds, rate, brokers })
})
