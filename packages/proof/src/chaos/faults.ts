import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '@steadfast/dev-services'
import pg from 'pg'
import type { LogRecord } from '../check/evidence.ts'
import { GROUPS, kafkaOf, readLog, TOPICS } from '../cluster/read-log.ts'
import type { Cluster } from '../cluster/start-cluster.ts'
import type { ServiceProcess } from '../cluster/supervise.ts'
import type { Random } from '../random.ts'

/** What a fault may use. */
export interface FaultContext {
  cluster: Cluster
  random: Random
  /** Records that a fault took from the log, read before. */
  deleted: LogRecord[]
}

/** A fault: it hurts, lasts, and is gone when the promise resolves. */
export interface Fault {
  name: string
  target: string
  /** What no other fault may touch meanwhile. */
  uses: string[]
  run(): Promise<unknown>
}

/** Makes one of its kind, with its target and length chosen by the random numbers. */
export type FaultKind = (context: FaultContext) => Fault

const pause = (random: Random, low: number, high: number) => sleep(random.between(low, high))

function onProcess(name: string, hurt: (process: ServiceProcess, random: Random) => Promise<unknown>): FaultKind {
  return ({ cluster, random }) => {
    const target = random.pick(cluster.processes)
    return { name, target: target.name, uses: [target.name], run: () => hurt(target, random) }
  }
}

const processes: FaultKind[] = [
  onProcess('SIGKILL', process => process.kill9()),
  onProcess('SIGKILL', process => process.kill9()),
  onProcess('SIGTERM', process => process.terminate()),
  onProcess('SIGSTOP', async (process, random) => {
    process.pause()
    await pause(random, 500, 4000)
    process.resume()
  }),
  // past Kafka's session timeout and the relay's: others have taken over when it wakes
  onProcess('long SIGSTOP', async process => {
    process.pause()
    await sleep(8000)
    process.resume()
  }),
  onProcess('clock jump', async (process, random) => {
    process.shiftClock(random.pick([-3_600_000, -60_000, 90_000, 3_600_000]))
    await pause(random, 1000, 4000)
    process.shiftClock(0)
  }),
  ({ cluster: { processes }, random }) => {
    const service = random.pick(['market', 'deploy'])
    const both = processes.filter(p => p.service === service)
    const run = () => Promise.all(both.map(p => p.kill9()))
    return { name: 'SIGKILL both', target: service, uses: both.map(p => p.name), run }
  }
]

const serviceOf = (random: Random) => random.pick(['market', 'deploy'] as const)

/** Something done by the harness in a session of its own, past the proxies. */
async function inSession(
  cluster: Cluster,
  database: 'market' | 'deploy',
  work: (client: pg.Client) => Promise<unknown>
) {
  const url = new URL(cluster.postgres.url)
  url.pathname = `/${database}`
  const client = new pg.Client({ connectionString: url.href, application_name: 'nemesis' })
  client.on('error', () => {})
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end().catch(() => {})
  }
}

/** Tries until the database takes it: another fault may have it down. */
async function insist(work: () => Promise<unknown>): Promise<void> {
  const done = () =>
    work().then(
      () => true,
      () => false
    )
  await until(done, { timeoutMs: 60_000, intervalMs: 200, what: 'a fault to be taken back' })
}

const READ_ONLY = 'alter system set default_transaction_read_only'

const databases: FaultKind[] = [
  ({ cluster: { postgres }, random }) => ({
    name: 'stop -m immediate',
    target: 'postgres',
    uses: ['postgres'],
    async run() {
      await postgres.stopImmediate()
      await pause(random, 0, 1500)
      await postgres.start()
    }
  }),
  ({ cluster, random }) => ({
    name: 'pg_terminate_backend',
    target: 'postgres',
    uses: [],
    run: () =>
      inSession(cluster, 'market', client =>
        client.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where datname in ('market', 'deploy') and pid <> pg_backend_pid() and application_name in ('market', 'deploy') and random() < $1`,
          [random.next()]
        )
      ).catch(() => {})
  }),
  ({ cluster, random }) => ({
    name: 'read-only',
    target: 'postgres',
    uses: ['postgres'],
    async run() {
      const set = (to: string) =>
        inSession(cluster, 'market', async client => {
          await client.query(`${READ_ONLY} = ${to}`)
          await client.query('select pg_reload_conf()')
        })
      await set('on').catch(() => {})
      await pause(random, 1000, 3000)
      await insist(() => set('off'))
    }
  }),
  ({ cluster, random }) => {
    const database = serviceOf(random)
    const hold = async (client: pg.Client) => {
      await client.query('begin isolation level repeatable read')
      await client.query('select count(*) from steadfast.event')
      await pause(random, 3000, 8000)
    }
    return {
      name: 'pinned xmin',
      target: database,
      uses: [],
      run: () => inSession(cluster, database, hold).catch(() => {})
    }
  }
]

function onProxy(
  name: string,
  hurt: (proxy: Cluster['kafka']['proxy'], random: Random) => Promise<unknown>
): FaultKind {
  return ({ cluster: { databaseProxies, kafka }, random }) => {
    const target = random.pick(['kafka proxy', 'market database proxy', 'deploy database proxy'] as const)
    const proxy =
      target === 'kafka proxy' ? kafka.proxy : databaseProxies[target.startsWith('market') ? 'market' : 'deploy']
    return { name, target, uses: [target], run: () => hurt(proxy, random) }
  }
}

const networks: FaultKind[] = [
  onProxy('cut', async (proxy, random) => {
    await proxy.cut()
    await pause(random, 300, 3000)
    await proxy.restore()
  }),
  onProxy('connections dropped', async proxy => proxy.dropConnections()),
  onProxy('delay', async (proxy, random) => {
    proxy.delay(random.between(50, 400))
    await pause(random, 1000, 4000)
    await proxy.restore()
  }),
  // what the server did is done, and nobody hears of it
  onProxy('acknowledgements lost', async (proxy, random) => {
    proxy.blackhole('to-client')
    await pause(random, 500, 3000)
    await proxy.restore()
  }),
  onProxy('requests lost', async (proxy, random) => {
    proxy.blackhole('to-server')
    await pause(random, 500, 3000)
    await proxy.restore()
  })
]

const brokers: FaultKind[] = [
  ({ cluster: { kafka }, random }) => ({
    name: 'SIGKILL',
    target: 'kafka',
    uses: ['kafka'],
    async run() {
      await kafka.broker.kill9()
      await pause(random, 0, 1500)
      await kafka.broker.restart()
    }
  }),
  ({ cluster: { kafka }, random }) => ({
    name: 'SIGSTOP',
    target: 'kafka',
    uses: ['kafka'],
    async run() {
      kafka.broker.pause()
      await pause(random, 500, 4000)
      kafka.broker.resume()
    }
  }),
  ({ cluster, random, deleted }) => ({
    name: 'records deleted',
    target: 'kafka',
    uses: ['kafka', 'log'],
    run: () => deleteRecords(cluster, random.pick(TOPICS), deleted)
  }),
  ({ cluster, random }) => {
    const group = serviceOf(random)
    return { name: 'rebalance', target: group, uses: ['kafka'], run: () => joinGroup(cluster, group, random) }
  },
  ({ cluster, random }) => {
    const group = serviceOf(random)
    const uses = ['kafka', ...cluster.processes.filter(p => p.service === group).map(p => p.name)]
    return { name: 'offsets reset', target: group, uses, run: () => resetOffsets(cluster, group) }
  }
]

/** Deletes what it has read before: nothing vanishes without the checker knowing. */
async function deleteRecords({ kafka: { direct } }: Cluster, topic: string, deleted: LogRecord[]): Promise<void> {
  const records = await readLog(direct, [topic])
  const ends = new Map<number, bigint>()
  for (const { partition, offset } of records) {
    const next = BigInt(offset) + 1n
    if (next > (ends.get(partition) ?? 0n)) ends.set(partition, next)
  }
  if (ends.size === 0) return
  const admin = kafkaOf(direct).admin()
  await admin.connect()
  try {
    await insist(() => admin.fetchTopicOffsets(topic)) // kafkajs knows no topic that it was not asked about
    // before the deed: if its answer is lost, they may be gone all the same
    deleted.push(...records.map(record => ({ ...record, deleted: true })))
    const partitions = [...ends].map(([partition, offset]) => ({ partition, offset: String(offset) }))
    await insist(() => admin.deleteTopicRecords({ topic, partitions }))
  } finally {
    await admin.disconnect().catch(() => {})
  }
}

/** A stranger joins the group, takes its share of the partitions, consumes nothing, and leaves. */
async function joinGroup({ kafka: { direct } }: Cluster, group: 'market' | 'deploy', random: Random): Promise<void> {
  const stranger = kafkaOf(direct).consumer({ groupId: group, allowAutoTopicCreation: false, sessionTimeout: 6000 })
  await stranger.connect()
  try {
    await stranger.subscribe({ topics: [...GROUPS[group]] })
    await stranger.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: async () => {} })
    await pause(random, 1500, 3000)
  } finally {
    await stranger.disconnect().catch(() => {})
  }
}

/** The group is forgotten while its members are away: the whole topics come again. */
async function resetOffsets({ kafka, processes }: Cluster, group: 'market' | 'deploy'): Promise<void> {
  const members = processes.filter(p => p.service === group)
  await Promise.all(members.map(p => p.terminate({ hold: true })))
  const admin = kafkaOf(kafka.direct).admin()
  try {
    await admin.connect()
    await insist(() => admin.deleteGroups([group]))
  } finally {
    await admin.disconnect().catch(() => {})
    for (const member of members) member.start()
  }
}

/** Every kind there is. */
export const FAULT_KINDS: readonly FaultKind[] = [...processes, ...databases, ...networks, ...brokers]
