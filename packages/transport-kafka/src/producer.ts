import kafkajs, { type Cluster, type Consumer } from 'kafkajs'
import { type Client, createClient } from './client.ts'
import { TransportClosed } from './errors.ts'
import type { Logger, Settings } from './options.ts'
import {
  type PartitionBatch,
  PRODUCE_VERSIONS,
  type ProduceAnswer,
  type ProduceRequest,
  produceRequest,
  readProduceAnswer
} from './produce-request.ts'
import { asError, settled, within } from './within.ts'

/** Connections to send Produce requests on. */
export interface LiveProducer {
  /** Sends one request to the leader of these partitions, and returns the broker's answer for each. */
  produce(leader: number, batches: readonly PartitionBatch[], onSending: () => void): Promise<Map<string, number>>
  close(): Promise<void>
  client: Client
}

// What kafkajs has and does not declare; its version is pinned, and it has not changed since 2023.
type OpenCluster = Cluster & { metadata(of: { topics: string[] }): Promise<unknown> }
interface OpenBroker {
  versions: Record<number, { minVersion: number; maxVersion: number }>
  connectionPool: {
    send(call: {
      request: ProduceRequest
      response: { decode(data: Buffer): Promise<ProduceAnswer>; parse(answer: ProduceAnswer): Promise<ProduceAnswer> }
    }): Promise<ProduceAnswer>
  }
}

/** Keeps one producer, and replaces it after a failure. */
export interface Producers {
  /** The producer in use, or a freshly connected one. Rejects when no broker answers. */
  get(): Promise<LiveProducer>
  /** Breaks this producer's connections; the next is connected in the background, with backoff. */
  discard(live: LiveProducer, reason: Error): void
  /** Why publishing cannot work now, from the last attempt. */
  failure(): Error | undefined
  close(deadlineMs: number): Promise<void>
}

const FIRST_BACKOFF_MS = 100
const LAST_BACKOFF_MS = 5000

/**
 * kafkajs' own producer answers for a whole request: one partition that refuses fails all, and it drops messages for a
 * partition that its metadata lack. So only its connections are used (TCP, TLS, SASL, time-outs), by way of the cluster
 * that it hands to partition assigners; requests and answers are this package's. Nothing is retried on this level, and
 * there is no idempotence (with capped retries kafkajs' sequence rewinds), so every outcome is told as it was.
 */
export function createProducers(settings: Settings, logger: Logger, onConnected: () => void): Producers {
  let live: LiveProducer | undefined
  let connecting: Promise<LiveProducer> | undefined
  let failure: Error | undefined
  let closed = false
  let backoffMs = FIRST_BACKOFF_MS
  let timer: NodeJS.Timeout | undefined

  async function connect(): Promise<LiveProducer> {
    const client = createClient(settings, logger)
    const { consumer, cluster } = openCluster(client)
    try {
      await within(consumer.connect(), settings.connectionTimeoutMs + settings.requestTimeoutMs, 'connecting')
    } catch (error) {
      client.destroy(asError(error))
      throw error
    }
    return {
      client,
      close: () => consumer.disconnect(),
      async produce(leader, batches, onSending) {
        if (!cluster.getNodeIds().map(Number).includes(leader)) {
          await cluster.metadata({ topics: batches.slice(0, 1).map(({ topic }) => topic) })
        }
        const { versions, connectionPool } = (await cluster.findBroker({
          nodeId: String(leader)
        })) as unknown as OpenBroker
        const { minVersion = 0, maxVersion = 0 } = versions[0] ?? {}
        const version = Math.min(maxVersion, PRODUCE_VERSIONS.max)
        if (version < Math.max(minVersion, PRODUCE_VERSIONS.min)) {
          throw Object.assign(new Error('the broker is too old or too new'), { type: 'UNSUPPORTED_VERSION' })
        }
        onSending()
        // The broker gives up on its replicas, and says so, before this client gives up on the broker.
        const request = produceRequest(batches, version, Math.ceil(settings.requestTimeoutMs * 0.8))
        const response = {
          decode: async (data: Buffer) => readProduceAnswer(data),
          parse: async (answer: ProduceAnswer) => answer
        }
        return (await connectionPool.send({ request, response })).errorCodes
      }
    }
  }

  function get(): Promise<LiveProducer> {
    if (closed) return Promise.reject(new TransportClosed())
    if (live) return Promise.resolve(live)
    clearTimeout(timer)
    connecting ??= connect()
      .then(
        connected => {
          live = connected
          failure = undefined
          backoffMs = FIRST_BACKOFF_MS
          onConnected()
          if (closed) connected.client.destroy(new TransportClosed())
          return connected
        },
        error => {
          reconnectLater(asError(error))
          throw error
        }
      )
      .finally(() => {
        connecting = undefined
      })
    return connecting
  }

  function reconnectLater(reason: Error): void {
    failure = reason
    if (closed) return
    clearTimeout(timer)
    timer = setTimeout(() => get().catch(() => undefined), backoffMs)
    timer.unref()
    backoffMs = Math.min(backoffMs * 2, LAST_BACKOFF_MS)
  }

  return {
    get,
    failure: () => failure,
    discard(broken, reason) {
      broken.client.destroy(reason)
      if (live !== broken) return
      live = undefined
      reconnectLater(reason)
    },
    async close(deadlineMs) {
      closed = true
      clearTimeout(timer)
      const last = live
      live = undefined
      if (!last) return
      await settled(last.close(), deadlineMs)
      last.client.destroy(new TransportClosed())
    }
  }
}

// A consumer that never runs: making it is the declared way to a cluster.
function openCluster({ kafka }: Client): { consumer: Consumer; cluster: OpenCluster } {
  let cluster: Cluster | undefined
  const consumer = kafka.consumer({
    groupId: 'unused',
    allowAutoTopicCreation: false,
    partitionAssigners: [
      config => {
        cluster = config.cluster
        return kafkajs.PartitionAssigners.roundRobin(config)
      }
    ]
  })
  return { consumer, cluster: cluster as unknown as OpenCluster }
}
