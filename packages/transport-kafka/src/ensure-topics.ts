import { setTimeout as sleep } from 'node:timers/promises'
import type { Admin } from 'kafkajs'
import type { Admins } from './admin.ts'
import { isMissing } from './classify-error.ts'
import { NoAnswer } from './errors.ts'
import type { Logger, Settings } from './options.ts'
import type { TopicInfo, TopicInfos } from './topic-info.ts'
import { asError } from './within.ts'

interface Wanted {
  name: string
  partitions: number
}

/** Creates what is missing and waits until each topic has its leaders. An existing topic stays as it is. */
export async function ensureTopics(
  { admins, infos, settings, logger }: { admins: Admins; infos: TopicInfos; settings: Settings; logger: Logger },
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
  await admins.use('creating topics', async admin => {
    const replicationFactor = settings.replicationFactor ?? Math.min(3, await countBrokers(admin))
    await admin.createTopics({
      // kafkajs asks once and fails on a broker that has not heard of the topic yet; `ready` asks until it has.
      waitForLeaders: false,
      timeout: settings.requestTimeoutMs,
      topics: missing.map(({ name, partitions }) => ({ topic: name, numPartitions: partitions, replicationFactor }))
    })
  })
  for (const { name } of missing) await ready(infos, name, settings.requestTimeoutMs)
}

// kafkajs drops the error of a request that failed at every broker, and stumbles over having none.
async function countBrokers(admin: Admin): Promise<number> {
  try {
    return (await admin.describeCluster()).brokers.length
  } catch (error) {
    throw error instanceof TypeError ? new NoAnswer('which brokers there are', { cause: error }) : error
  }
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
async function ready(infos: TopicInfos, topic: string, limitMs: number): Promise<void> {
  const end = Date.now() + limitMs
  for (;;) {
    try {
      await infos.load(topic)
      return
    } catch (error) {
      if (Date.now() > end) throw error
      await sleep(50)
    }
  }
}
