import {
  type API,
  type Broker,
  ConfigResourceTypes,
  type Connection,
  createTopicsV7,
  describeConfigsV4,
  FetchIsolationLevels,
  FindCoordinatorKeyTypes,
  findCoordinatorV4,
  ListOffsetTimestamps,
  listOffsetsV7,
  metadataV12,
  offsetFetchV8
} from '@platformatic/kafka'
import { brokerError, mustBeOk, nameIn, nameOfError, reasonOf } from '../broker-error.ts'
import type { Cluster, Offsets } from '../driver.ts'
import { NoAnswer, TransportClosed } from '../errors.ts'
import type { Settings } from '../options.ts'
import { asError, within } from '../within.ts'
import { type Connections, createConnections, readAddress, send } from './connections.ts'

/** What is asked of brokers, and the way to them. */
export interface OpenCluster extends Cluster {
  /** Connections for a purpose of its own. `requestTimeoutMs`: default the option's. */
  connect(requestTimeoutMs?: number): Connections
  /** @throws when the cluster has no such broker now */
  broker(id: number): Promise<Broker>
  /** The broker that coordinates a group. */
  coordinator(group: string): Promise<number>
}

/** Nothing is connected before it is needed. */
export function openCluster(settings: Settings): OpenCluster {
  const bootstrap = settings.brokers.map(readAddress)
  const limitMs = settings.connectionTimeoutMs + settings.requestTimeoutMs
  const connect = (requestTimeoutMs = settings.requestTimeoutMs) => createConnections(settings, requestTimeoutMs)
  const asking = connect()
  let known = new Map<number, Broker>()
  let closed = false

  async function askOn<Args extends unknown[], Answer>(
    connecting: Promise<Connection>,
    what: string,
    api: API<Args, Answer>,
    args: Args
  ): Promise<Answer> {
    connecting.catch(() => undefined)
    if (closed) throw new TransportClosed()
    const answering = connecting.then(connection => send(connection, api, ...args))
    try {
      return await within(answering, limitMs, what)
    } catch (thrown) {
      if (nameIn(thrown) !== undefined) throw thrown
      throw new NoAnswer(`${what} (${reasonOf(asError(thrown))})`, { cause: thrown })
    }
  }

  const askAny = <Args extends unknown[], Answer>(what: string, api: API<Args, Answer>, ...args: Args) => {
    const others = [...known.values()].filter(
      one => !bootstrap.some(is => is.host === one.host && is.port === one.port)
    )
    return askOn(asking.toAny([...bootstrap, ...others]), what, api, args)
  }

  async function ask<Args extends unknown[], Answer>(id: number, what: string, api: API<Args, Answer>, ...args: Args) {
    return await askOn(asking.to(await broker(id)), what, api, args)
  }

  async function metadata(names: readonly string[]) {
    const what = names.length === 0 ? 'which brokers there are' : `metadata of ${names.join(', ')}`
    const answer = await askAny(what, metadataV12.api, [...names], false, false)
    if (answer.brokers.length > 0)
      known = new Map(answer.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]))
    return answer
  }

  async function broker(id: number): Promise<Broker> {
    if (!known.has(id)) await metadata([])
    const found = known.get(id)
    if (found === undefined) throw brokerError('BROKER_NOT_AVAILABLE', `broker ${id} is not there`)
    return found
  }

  async function coordinator(group: string): Promise<number> {
    const what = `coordinator of group ${group}`
    const { coordinators } = await askAny(what, findCoordinatorV4.api, FindCoordinatorKeyTypes.GROUP, [group])
    const [found] = coordinators
    if (found === undefined) throw brokerError('COORDINATOR_NOT_AVAILABLE', what)
    mustBeOk(found.errorCode, what)
    known.set(found.nodeId, { host: found.host, port: found.port })
    return found.nodeId
  }

  async function topics(names: readonly string[]) {
    if (names.length === 0) return new Map()
    const answer = await metadata(names)
    return new Map(
      answer.topics.map(({ name, errorCode, partitions }) => {
        const leaders: number[] = []
        for (const { partitionIndex, leaderId } of partitions) leaders[partitionIndex] = leaderId
        return [name ?? '', { error: nameOfError(errorCode), leaders, replicas: fewest(partitions) }]
      })
    )
  }

  /** By leader, the partitions of these topics. */
  async function byLeader(names: readonly string[]): Promise<Map<number, { topic: string; partition: number }[]>> {
    const views = await topics(names)
    const all = [...views].flatMap(([topic, { error, leaders }]) => {
      if (error !== undefined) throw brokerError(error, `topic ${topic}: the broker answered ${error}`)
      return leaders.map((leader: number, partition: number) => ({ topic, partition, leader }))
    })
    return Map.groupBy(all, ({ leader, topic, partition }) => {
      if (leader < 0) throw brokerError('LEADER_NOT_AVAILABLE', `partition ${partition} of ${topic} has no leader`)
      return leader
    })
  }

  return {
    connect,
    broker,
    coordinator,
    topics,
    async countBrokers() {
      await metadata([])
      return known.size
    },
    async settingsOf(topic, names) {
      const what = `settings of topic ${topic}`
      const { results } = await askAny(what, describeConfigsV4.api, [
        { resourceType: ConfigResourceTypes.TOPIC, resourceName: topic, configurationKeys: [...names] }
      ])
      mustBeOk(results[0]?.errorCode ?? 0, what)
      return new Map(
        results[0]?.configs.flatMap(({ name, value }) => (typeof value === 'string' ? [[name, value] as const] : []))
      )
    },
    async createTopics(wanted) {
      const request = wanted.map(({ name, partitions, replicationFactor, configs }) => ({
        name,
        numPartitions: partitions,
        replicationFactor,
        assignments: [],
        configs: [...configs]
      }))
      const what = 'creating topics'
      const answer = await askAny(what, createTopicsV7.api, request, settings.requestTimeoutMs, false)
      for (const { name, errorCode, errorMessage } of answer.topics) {
        const error = nameOfError(errorCode)
        if (error === undefined || error === 'TOPIC_ALREADY_EXISTS') continue
        throw brokerError(error, `topic ${name} was not created: ${error}${errorMessage ? ` (${errorMessage})` : ''}`)
      }
    },
    async offsets(names, at) {
      const timestamp = timestampOf(at)
      const found: Offsets = new Map(names.map(topic => [topic, new Map()]))
      const asked = [...(await byLeader(names))].map(async ([leader, of]) => {
        const what = `offsets of ${names.join(', ')}`
        const wanted = [...Map.groupBy(of, ({ topic }) => topic)].map(([name, partitions]) => ({
          name,
          partitions: partitions.map(({ partition }) => ({
            partitionIndex: partition,
            currentLeaderEpoch: -1,
            timestamp
          }))
        }))
        const level = FetchIsolationLevels.READ_COMMITTED
        const answer = await ask(leader, what, listOffsetsV7.api, -1, level, wanted)
        for (const { name, partitions } of answer.topics)
          for (const { partitionIndex, errorCode, offset } of partitions) {
            mustBeOk(errorCode, what)
            found.get(name)?.set(partitionIndex, offset)
          }
      })
      await Promise.all(asked)
      return found
    },
    async committed(group, of) {
      const wanted = [...of].map(([name, partitions]) => ({ name, partitionIndexes: [...partitions.keys()] }))
      if (wanted.length === 0) return new Map()
      const what = `offsets of group ${group}`
      const request = [{ groupId: group, memberId: null, memberEpoch: -1, topics: wanted }]
      const answer = await ask(await coordinator(group), what, offsetFetchV8.api, request, true)
      const found: Offsets = new Map()
      for (const { errorCode, topics } of answer.groups) {
        mustBeOk(errorCode, what)
        for (const { name, partitions } of topics) {
          const offsets = new Map<number, bigint>()
          for (const { partitionIndex, committedOffset, errorCode } of partitions) {
            mustBeOk(errorCode, what)
            if (committedOffset >= 0n) offsets.set(partitionIndex, committedOffset)
          }
          found.set(name, offsets)
        }
      }
      return found
    },
    async close() {
      closed = true
      asking.destroy()
    }
  }
}

const fewest = (partitions: readonly { replicaNodes: readonly number[] }[]): number | undefined =>
  partitions.length === 0 ? undefined : Math.min(...partitions.map(({ replicaNodes }) => replicaNodes.length))

function timestampOf(at: 'beginning' | 'end' | Date): bigint {
  if (at === 'beginning') return ListOffsetTimestamps.EARLIEST
  if (at === 'end') return ListOffsetTimestamps.LATEST
  // To Kafka a time below zero is no time: -1 is the end, and most others are an error.
  return BigInt(Math.max(0, Math.trunc(at.getTime())))
}
