import { settlesWithin } from '@steadfast/events/runtime'
import kafkajs, { type Producer as Client } from 'kafkajs'
import { brokerError } from '../broker-error.ts'
import { isAnswer } from '../classify-error.ts'
import { createConnector } from '../connector.ts'
import { type PartitionBatch, type Producer, partitionName } from '../driver.ts'
import { TransportClosed } from '../errors.ts'
import type { Logger, Settings } from '../options.ts'
import { asError, within } from '../within.ts'
import { createClient } from './client.ts'
import { readError } from './kafkajs-error.ts'

interface Live {
  producer: Client
  destroy(reason: Error): void
}

/**
 * kafkajs' producer answers for a whole request: one partition that refuses fails all, it drops messages for a partition
 * that its metadata lack, and, when it tries again, an answer of a broker that no longer leads may count. So each partition
 * has a request of its own, one without an answer was dropped, and nothing is tried again here: each outcome is told as it
 * was. It has one client, which is replaced after a failure.
 */
export function createProducer(settings: Settings, logger: Logger, onConnected: () => void): Producer {
  let live: Live | undefined
  let closed = false
  const connector = createConnector(open, onConnected)

  async function open(): Promise<Live> {
    const client = createClient(settings, logger)
    const producer = client.kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      retry: { retries: 0 }
    })
    try {
      await within(producer.connect(), settings.connectionTimeoutMs + settings.requestTimeoutMs, 'connecting')
    } catch (thrown) {
      client.destroy(asError(thrown))
      throw readError(thrown)
    }
    live = { producer, destroy: client.destroy }
    if (closed) client.destroy(new TransportClosed())
    return live
  }

  const get = async (): Promise<Live> => live ?? (await connector.connect())

  async function sendOne(
    { producer }: Live,
    { topic, partition, entries }: PartitionBatch
  ): Promise<Error | undefined> {
    try {
      const answers = await producer.send({
        topic,
        acks: -1,
        compression: settings.compression === 'gzip' ? kafkajs.CompressionTypes.GZIP : kafkajs.CompressionTypes.None,
        // The broker gives up on its replicas, and says so, before this client gives up on the broker.
        timeout: Math.ceil(settings.requestTimeoutMs * 0.8),
        messages: entries.map(({ key, outgoing: { value, headers } }) => ({ key, value, headers, partition }))
      })
      return answers.length > 0 ? undefined : brokerError('LEADER_NOT_AVAILABLE', 'the partition has no leader')
    } catch (thrown) {
      return readError(thrown)
    }
  }

  return {
    connect: async () => void (await get()),
    failed: () => undefined,
    failure: connector.failure,
    async send(_leader, batches, onSending) {
      const mine = await get()
      onSending()
      const answers = await Promise.all(batches.map(batch => sendOne(mine, batch)))
      const broken = answers.find(error => error !== undefined && !isAnswer(error))
      if (broken !== undefined) {
        mine.destroy(broken)
        if (live === mine) {
          live = undefined
          connector.lost(broken)
        }
      }
      return new Map(batches.map(({ topic, partition }, i) => [partitionName(topic, partition), answers[i]]))
    },
    async close(deadlineMs) {
      closed = true
      connector.close()
      const last = live
      live = undefined
      if (last === undefined) return
      await settlesWithin(last.producer.disconnect(), deadlineMs)
      last.destroy(new TransportClosed())
    }
  }
}
