import kafkajs from 'kafkajs'
import type { Admins } from './admin.ts'
import { isMissing } from './classify-error.ts'
import type { Logger, Settings } from './options.ts'
import { asError } from './within.ts'

/** What publishing to a topic needs to know. */
export interface TopicInfo {
  partitions: number
  /** Node id of the leader, by partition. */
  leaders: readonly number[]
  /** Bound for a record batch: the topic's max.message.bytes where it may be read, and never more than `maxBytes`. */
  batchBytes: number
  /** The topic's max.message.bytes, where it may be read. */
  maxMessageBytes: number | undefined
}

/** What is known of topics: asked once, renewed in the background. */
export interface TopicInfos {
  known(topic: string): TopicInfo | undefined
  /**
   * Asks the broker. Rejects when the topic does not exist, which is then forgotten, has a partition without leader, or
   * nobody answers.
   */
  load(topic: string): Promise<TopicInfo>
  forget(topics: Iterable<string>): void
}

const MAX_AGE_MS = 60_000

/** Each topic is asked for alone, so that a missing or leaderless one fails nothing but itself. */
export function createTopicInfos(admins: Admins, settings: Settings, logger: Logger): TopicInfos {
  const infos = new Map<string, { info: TopicInfo; at: number }>()
  const counts = new Map<string, number>()
  const loading = new Map<string, Promise<TopicInfo>>()
  let mayDescribe = true

  async function ask(topic: string): Promise<TopicInfo> {
    const { topics } = await admins.use(`metadata of topic ${topic}`, admin =>
      admin.fetchTopicMetadata({ topics: [topic] })
    )
    const partitions = topics.find(({ name }) => name === topic)?.partitions ?? []
    if (partitions.length === 0) throw new Error('the broker lists no partitions')
    const leaders: number[] = []
    for (const { partitionId, leader } of partitions) leaders[partitionId] = leader
    const maxMessageBytes = await askMaxBytes(topic)
    const batchBytes = Math.min(settings.maxBytes, maxMessageBytes ?? settings.maxBytes)
    return { partitions: partitions.length, leaders, batchBytes, maxMessageBytes }
  }

  async function askMaxBytes(topic: string): Promise<number | undefined> {
    if (!mayDescribe) return undefined
    const configNames = ['max.message.bytes']
    try {
      const { resources } = await admins.use(`settings of topic ${topic}`, admin =>
        admin.describeConfigs({
          includeSynonyms: false,
          resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames }]
        })
      )
      const value = Number(
        resources[0]?.configEntries.find(({ configName }) => configName === configNames[0])?.configValue
      )
      return Number.isInteger(value) && value > 0 ? value : undefined
    } catch (thrown) {
      const error = asError(thrown) as Error & { type?: string }
      if (error.type?.endsWith('AUTHORIZATION_FAILED')) {
        mayDescribe = false
        logger.info({ err: error }, `no right to read max.message.bytes; assuming ${settings.maxBytes}`)
      }
      return undefined
    }
  }

  function remember(topic: string, info: TopicInfo): TopicInfo {
    const before = counts.get(topic)
    if (before !== undefined && before !== info.partitions) {
      logger.warn(
        { topic, before, now: info.partitions },
        'the number of partitions changed: keys move, and order per key is not kept across the change'
      )
    }
    counts.set(topic, info.partitions)
    infos.set(topic, { info, at: Date.now() })
    return info
  }

  function load(topic: string): Promise<TopicInfo> {
    const under = loading.get(topic)
    if (under) return under
    const promise = ask(topic)
      .then(
        info => remember(topic, info),
        thrown => {
          // One that is made under this name again may have other partitions.
          if (isMissing(asError(thrown))) infos.delete(topic)
          throw thrown
        }
      )
      .finally(() => loading.delete(topic))
    loading.set(topic, promise)
    return promise
  }

  return {
    load,
    known(topic) {
      const entry = infos.get(topic)
      if (entry && Date.now() - entry.at > MAX_AGE_MS) {
        entry.at = Date.now()
        load(topic).catch(error => logger.debug({ err: error, topic }, 'topic metadata not renewed'))
      }
      return entry?.info
    },
    forget(topics) {
      for (const topic of topics) infos.delete(topic)
    }
  }
}
