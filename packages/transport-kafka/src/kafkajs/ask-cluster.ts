import { settlesWithin } from '@steadfast/events/runtime'
import kafkajs, { type Admin } from 'kafkajs'
import { nameIn } from '../broker-error.ts'
import type { Cluster, Offsets, TopicView } from '../driver.ts'
import { NoAnswer, TransportClosed } from '../errors.ts'
import type { Logger, Settings } from '../options.ts'
import { within } from '../within.ts'
import { type Client, createClient } from './client.ts'
import { readError } from './kafkajs-error.ts'

interface Lent {
  client: Client
  admin: Admin
  connected: Promise<void>
  users: number
}

/**
 * What is asked of brokers, by one admin client, connected when first needed. It is dropped after a failure since kafkajs
 * remembers topics that were asked for, and then fails every refresh of its metadata while one of them has no leader.
 */
export function askCluster(settings: Settings, logger: Logger): Cluster {
  let current: Lent | undefined
  let closed = false
  const limitMs = settings.connectionTimeoutMs + 2 * settings.requestTimeoutMs

  function lend(): Lent {
    if (current) return current
    const client = createClient(settings, logger)
    const admin = client.kafka.admin()
    const connected = admin.connect()
    connected.catch(() => undefined)
    current = { client, admin, connected, users: 0 }
    return current
  }

  function drop(lent: Lent): void {
    if (current === lent) current = undefined
    if (lent.users === 0) void lent.admin.disconnect().catch(() => lent.client.destroy(new TransportClosed()))
  }

  /** Runs `work` with a connected client, bounded in time. After any failure the next call gets a fresh one. */
  async function use<T>(what: string, work: (admin: Admin) => Promise<T>): Promise<T> {
    if (closed) throw new TransportClosed()
    const lent = lend()
    lent.users++
    try {
      const working = lent.connected.then(() => work(lent.admin))
      const result = await within(working, limitMs, what)
      lent.users--
      if (lent !== current) drop(lent)
      return result
    } catch (thrown) {
      lent.users--
      drop(lent)
      throw readError(thrown)
    }
  }

  /** Each topic is asked for alone, so that a missing or leaderless one fails nothing but itself. */
  async function viewOf(topic: string): Promise<TopicView> {
    try {
      const { topics } = await use(`metadata of topic ${topic}`, admin => admin.fetchTopicMetadata({ topics: [topic] }))
      const leaders: number[] = []
      const copies: number[] = []
      for (const { partitionId, leader, replicas } of topics.find(({ name }) => name === topic)?.partitions ?? []) {
        leaders[partitionId] = leader
        copies.push(replicas.length)
      }
      return { error: undefined, leaders, replicas: copies.length === 0 ? undefined : Math.min(...copies) }
    } catch (thrown) {
      const error = nameIn(thrown)
      if (error === undefined) throw thrown
      return { error, leaders: [], replicas: undefined }
    }
  }

  async function offsetsOf(topic: string, at: 'beginning' | 'end' | Date): Promise<Map<number, bigint>> {
    return await use(`offsets of topic ${topic}`, async admin => {
      const ends = await admin.fetchTopicOffsets(topic)
      if (!(at instanceof Date))
        return new Map(ends.map(({ partition, low, high }) => [partition, BigInt(at === 'end' ? high : low)]))
      // To Kafka a time below zero is no time: -1 is the end, and most others are an error.
      const found = await admin.fetchTopicOffsetsByTimestamp(topic, Math.max(0, at.getTime()))
      return new Map(found.map(({ partition, offset }) => [partition, BigInt(offset)]))
    })
  }

  return {
    async topics(names) {
      return new Map(await Promise.all(names.map(async topic => [topic, await viewOf(topic)] as const)))
    },
    async settingsOf(topic, names) {
      const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: [...names] }
      const { resources } = await use(`settings of topic ${topic}`, admin =>
        admin.describeConfigs({ includeSynonyms: false, resources: [resource] })
      )
      return new Map(resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]))
    },
    async countBrokers() {
      try {
        return (await use('which brokers there are', admin => admin.describeCluster())).brokers.length
      } catch (thrown) {
        // kafkajs drops the error of a request that failed at every broker, and stumbles over having none.
        throw nameIn(thrown) === undefined ? new NoAnswer('which brokers there are', { cause: thrown }) : thrown
      }
    },
    async createTopics(wanted) {
      await use('creating topics', admin =>
        admin.createTopics({
          // kafkajs asks once and fails on a broker that has not heard of the topic yet.
          waitForLeaders: false,
          timeout: settings.requestTimeoutMs,
          topics: wanted.map(({ name, partitions, replicationFactor, configs }) => ({
            topic: name,
            numPartitions: partitions,
            replicationFactor,
            configEntries: [...configs]
          }))
        })
      )
    },
    async offsets(names, at) {
      return new Map(await Promise.all(names.map(async topic => [topic, await offsetsOf(topic, at)] as const)))
    },
    async committed(group, of) {
      const topics = [...of.keys()]
      if (topics.length === 0) return new Map()
      const fetched = await use(`offsets of group ${group}`, admin => admin.fetchOffsets({ groupId: group, topics }))
      const found: Offsets = new Map()
      for (const { topic, partitions } of fetched) {
        // -1: none yet.
        const kept = partitions.filter(({ offset }) => BigInt(offset) >= 0n)
        found.set(topic, new Map(kept.map(({ partition, offset }) => [partition, BigInt(offset)])))
      }
      return found
    },
    async close() {
      closed = true
      const lent = current
      current = undefined
      if (!lent) return
      await settlesWithin(lent.admin.disconnect(), settings.requestTimeoutMs)
      lent.client.destroy(new TransportClosed())
    }
  }
}
