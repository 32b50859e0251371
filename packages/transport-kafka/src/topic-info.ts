import { brokerError, nameIn } from './broker-error.ts'
import { isMissing } from './classify-error.ts'
import type { Cluster } from './driver.ts'
import type { Logger, Settings } from './options.ts'
import { asError } from './within.ts'

/** What publishing to a topic needs to know. */
export interface TopicInfo {
  partitions: number
  /** Node id of the leader, by partition; -1: it has none at present. */
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
   * Asks the broker. Rejects when the topic does not exist, which is then forgotten, may not be seen, or nobody answers.
   */
  load(topic: string): Promise<TopicInfo>
  forget(topics: Iterable<string>): void
}

const MAX_AGE_MS = 60_000
/** The largest record batch that a topic takes. */
export const MAX_BYTES = 'max.message.bytes'

/** A setting that is a number of at least one. */
export function numberOf(settings: ReadonlyMap<string, string>, name: string): number | undefined {
  const value = Number(settings.get(name))
  return Number.isInteger(value) && value > 0 ? value : undefined
}

export function createTopicInfos(cluster: Cluster, settings: Settings, logger: Logger): TopicInfos {
  const infos = new Map<string, { info: TopicInfo; at: number }>()
  const counts = new Map<string, number>()
  const loading = new Map<string, Promise<TopicInfo>>()
  let mayDescribe = true

  async function ask(topic: string): Promise<TopicInfo> {
    const view = (await cluster.topics([topic])).get(topic)
    if (view?.error !== undefined) throw brokerError(view.error, `topic ${topic}: the broker answered ${view.error}`)
    if (view === undefined || view.leaders.length === 0) throw new Error(`the broker lists no partitions of ${topic}`)
    const { leaders } = view
    const maxMessageBytes = await askMaxBytes(topic)
    const batchBytes = Math.min(settings.maxBytes, maxMessageBytes ?? settings.maxBytes)
    return { partitions: leaders.length, leaders, batchBytes, maxMessageBytes }
  }

  async function askMaxBytes(topic: string): Promise<number | undefined> {
    if (!mayDescribe) return undefined
    try {
      return numberOf(await cluster.settingsOf(topic, [MAX_BYTES]), MAX_BYTES)
    } catch (thrown) {
      if (nameIn(thrown)?.endsWith('AUTHORIZATION_FAILED')) {
        mayDescribe = false
        logger.info({ err: asError(thrown) }, `no right to read max.message.bytes; assuming ${settings.maxBytes}`)
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
