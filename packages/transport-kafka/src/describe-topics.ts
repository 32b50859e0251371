import type { TopicFacts } from '@steadfast/events'
import type { Cluster } from './driver.ts'
import { MAX_BYTES, numberOf } from './topic-info.ts'

const RETENTION_MS = 'retention.ms'
const RETENTION_BYTES = 'retention.bytes'
const SEGMENT_MS = 'segment.ms'
const CLEANUP = 'cleanup.policy'
const MIN_IN_SYNC = 'min.insync.replicas'
const SETTINGS = [RETENTION_MS, RETENTION_BYTES, SEGMENT_MS, CLEANUP, MIN_IN_SYNC, MAX_BYTES]

/** See `Transport.describeTopics`. Settings that may not be read are absent. */
export async function describeTopics(cluster: Cluster, names: readonly string[]): Promise<TopicFacts[]> {
  const brokers = await cluster.countBrokers()
  const views = await cluster.topics(names)
  const describe = async (name: string): Promise<TopicFacts> => {
    const view = views.get(name)
    if (view === undefined || view.error !== undefined) return { name }
    const settings = await cluster.settingsOf(name, SETTINGS).catch(() => undefined)
    return present({ name, brokers, replicas: view.replicas, ...(settings && factsOf(settings)) })
  }
  return await Promise.all(names.map(describe))
}

type Facts = { [Name in keyof TopicFacts]: TopicFacts[Name] | undefined }

function factsOf(settings: ReadonlyMap<string, string>): Omit<Facts, 'name'> {
  const isDeleted = settings.get(CLEANUP)?.includes('delete') ?? true
  return {
    retentionMs: isDeleted ? limitOf(settings, RETENTION_MS) : Number.POSITIVE_INFINITY,
    retentionBytes: isDeleted ? limitOf(settings, RETENTION_BYTES) : Number.POSITIVE_INFINITY,
    segmentMs: numberOf(settings, SEGMENT_MS),
    isCompacted: settings.get(CLEANUP)?.includes('compact'),
    minInSync: numberOf(settings, MIN_IN_SYNC),
    maxMessageBytes: numberOf(settings, MAX_BYTES)
  }
}

/** Below zero there is no limit. */
function limitOf(settings: ReadonlyMap<string, string>, name: string): number | undefined {
  const value = Number(settings.get(name) ?? Number.NaN)
  if (Number.isNaN(value)) return undefined
  return value < 0 ? Number.POSITIVE_INFINITY : value
}

const present = (facts: Facts & { name: string }): TopicFacts =>
  Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as unknown as TopicFacts
