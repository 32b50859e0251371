import type { LogRecord } from '../../check/evidence.ts'
import { GROUPS, kafkaOf, readLog, TOPICS, withAdmin } from '../../cluster/read-log.ts'
import type { Cluster } from '../../cluster/start-cluster.ts'
import type { Random } from '../../random.ts'
import { type FaultKind, insist, pause, serviceOf } from './fault.ts'

/** What happens to Kafka, its log and its groups. */
export const brokerFaults: FaultKind[] = [
  ({ cluster: { kafka }, random }) => {
    // Of three, one or two at once: then nothing is acknowledged, and nobody leads, until they are back.
    const count = kafka.brokers.length === 1 ? 1 : random.between(1, 2)
    const chosen = random.shuffle([...kafka.brokers.keys()]).slice(0, count)
    return {
      name: 'SIGKILL',
      target: 'kafka',
      uses: ['kafka'],
      async run() {
        const killed = chosen.map(index => kafka.brokers[index])
        await Promise.all(killed.map(broker => broker?.kill9()))
        await pause(random, 0, 1500)
        await Promise.all(killed.map(broker => broker?.restart()))
      }
    }
  },
  ({ cluster: { kafka }, random }) => {
    const broker = random.pick(kafka.brokers)
    return {
      name: 'SIGSTOP',
      target: 'kafka',
      uses: ['kafka'],
      async run() {
        await broker.pause()
        await pause(random, 500, 4000)
        broker.resume()
      }
    }
  },
  ({ cluster: { kafka }, random }) => ({
    name: 'rolling restart',
    target: 'kafka',
    uses: ['kafka'],
    async run() {
      for (const broker of random.shuffle(kafka.brokers)) {
        await broker.restart()
        await pause(random, 500, 1500)
      }
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
  await withAdmin(direct, async admin => {
    await insist(() => admin.fetchTopicOffsets(topic)) // kafkajs knows no topic that it was not asked about
    // before the deed: if its answer is lost, they may be gone all the same
    deleted.push(...records.map(record => ({ ...record, deleted: true })))
    const partitions = [...ends].map(([partition, offset]) => ({ partition, offset: String(offset) }))
    await insist(() => admin.deleteTopicRecords({ topic, partitions }))
  })
}

/** A stranger joins the group, takes its share of the partitions, consumes nothing, and leaves. */
async function joinGroup({ kafka: { direct } }: Cluster, group: 'market' | 'deploy', random: Random): Promise<void> {
  // One that starts anew by itself after a failure would stay for ever.
  const retry = { restartOnFailure: async () => false }
  const options = { groupId: group, allowAutoTopicCreation: false, sessionTimeout: 6000, retry }
  const stranger = kafkaOf(direct).consumer(options)
  await stranger.connect()
  try {
    await stranger.subscribe({ topics: [...GROUPS[group]] })
    await stranger.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: async () => {} })
    await pause(random, 1500, 3000)
  } finally {
    await insist(() => stranger.disconnect())
  }
}

/** A group whose deletion was not acknowledged may be gone all the same. */
function unlessGone(error: Error & { groups?: { errorCode?: number }[] }): void {
  const GROUP_ID_NOT_FOUND = 69
  if (error.groups?.every(({ errorCode }) => errorCode === GROUP_ID_NOT_FOUND)) return
  const codes = error.groups?.map(({ errorCode }) => errorCode)
  throw codes === undefined ? error : new Error(`${error.message}: ${codes}`)
}

/** The group is forgotten while its members are away: the whole topics come again. */
async function resetOffsets({ kafka, processes }: Cluster, group: 'market' | 'deploy'): Promise<void> {
  const members = processes.filter(p => p.service === group)
  await Promise.all(members.map(p => p.terminate({ hold: true })))
  try {
    await withAdmin(kafka.direct, admin => insist(() => admin.deleteGroups([group]).catch(unlessGone)))
  } finally {
    for (const member of members) member.start()
  }
}
