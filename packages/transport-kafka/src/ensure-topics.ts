import { setTimeout as sleep } from 'node:timers/promises'
import { isMissing } from './classify-error.ts'
import type { Cluster } from './driver.ts'
import type { Logger, Settings } from './options.ts'
import type { TopicInfo, TopicInfos } from './topic-info.ts'
import { asError } from './within.ts'

interface Wanted {
  name: string
  partitions: number
}

/** Whatever the cluster's defaults are: nothing that was not read may go because of a later message. */
const ALWAYS = [{ name: 'cleanup.policy', value: 'delete' }]
/** What was acknowledged is on two brokers, and one of three may be away. */
const COPIED = [{ name: 'min.insync.replicas', value: '2' }]

/** Creates what is missing and waits until each topic has its leaders. An existing topic stays as it is. */
export async function ensureTopics(
  { cluster, infos, settings, logger }: { cluster: Cluster; infos: TopicInfos; settings: Settings; logger: Logger },
  wanted: readonly Wanted[]
): Promise<void> {
  const missing: Wanted[] = []
  for (const topic of new Map(wanted.map(entry => [entry.name, entry])).values()) {
    const info = await existing(infos, topic.name)
    if (!info) missing.push(topic)
    else if (info.partitions !== topic.partitions) {
      const details = { topic: topic.name, partitions: info.partitions, wanted: topic.partitions }
      logger.warn(details, 'the topic exists with another number of partitions and stays as it is')
    }
  }
  if (missing.length === 0) return
  const replicationFactor = settings.replicationFactor ?? Math.min(3, await cluster.countBrokers())
  const configs = [...ALWAYS, ...(replicationFactor > 2 ? COPIED : [])]
  await cluster.createTopics(missing.map(topic => ({ ...topic, replicationFactor, configs })))
  for (const { name } of missing) await ready(cluster, infos, name, settings.requestTimeoutMs)
}

async function existing(infos: TopicInfos, topic: string): Promise<TopicInfo | undefined> {
  try {
    return await infos.load(topic)
  } catch (thrown) {
    if (isMissing(asError(thrown))) return undefined
    throw thrown
  }
}

// Brokers learn of a new topic one after the other, and of its leaders a little later.
async function ready(cluster: Cluster, infos: TopicInfos, topic: string, limitMs: number): Promise<void> {
  const end = Date.now() + limitMs
  for (;;) {
    try {
      const { leaders } = await infos.load(topic)
      if (leaders.some(leader => leader < 0)) throw new Error(`topic ${topic} has no leaders yet`)
      // Each leader answers for its partitions: it knows that it leads.
      await cluster.offsets([topic], 'end')
      return
    } catch (error) {
      if (Date.now() > end) throw error
      await sleep(50)
    }
  }
}
