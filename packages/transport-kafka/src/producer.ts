import type { ICustomPartitioner, Producer } from 'kafkajs'
import { type Client, createClient } from './client.ts'
import { TransportClosed } from './errors.ts'
import type { Logger, Settings } from './options.ts'
import { asError, settled, within } from './within.ts'

/** A connected producer. */
export interface LiveProducer {
  producer: Producer
  client: Client
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

// The partition stands in each message: it was computed before, to split the batch.
const asGiven: ICustomPartitioner =
  () =>
  ({ message }) =>
    message.partition as number

/**
 * Settings that avoid kafkajs' traps: not idempotent (with capped retries its sequence rewinds and a later batch is
 * acknowledged unwritten), no automatic topics, and no retries of its own, so that every outcome is told as it was.
 */
export function createProducers(settings: Settings, logger: Logger): Producers {
  let live: LiveProducer | undefined
  let connecting: Promise<LiveProducer> | undefined
  let failure: Error | undefined
  let closed = false
  let backoffMs = FIRST_BACKOFF_MS
  let timer: NodeJS.Timeout | undefined

  async function connect(): Promise<LiveProducer> {
    const client = createClient(settings, logger)
    const producer = client.kafka.producer({
      idempotent: false,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: asGiven,
      retry: { retries: 0 }
    })
    try {
      await within(producer.connect(), settings.connectionTimeoutMs + settings.requestTimeoutMs, 'connecting')
    } catch (error) {
      client.destroy(asError(error))
      throw error
    }
    return { producer, client }
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
      await settled(last.producer.disconnect(), deadlineMs)
      last.client.destroy(new TransportClosed())
    }
  }
}
