import type { Transport } from '@steadfast/events'
import { reasonOf } from './broker-error.ts'
import { describeTopics } from './describe-topics.ts'
import type { Driver } from './driver.ts'
import { ensureTopics } from './ensure-topics.ts'
import { TransportClosed } from './errors.ts'
import { type KafkaTransportOptions, type Logger, readSettings, type Settings } from './options.ts'
import { createPublish } from './publish.ts'
import { subscribe } from './subscribe.ts'
import type { Supervisor } from './supervise.ts'
import { createTopicInfos } from './topic-info.ts'

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** A transport on a client of Kafka. */
export function createTransport(
  options: KafkaTransportOptions,
  driverOf: (settings: Settings, logger: Logger) => Driver
): Transport {
  const settings = readSettings(options)
  const logger = settings.logger ?? SILENT
  const driver = driverOf(settings, logger)
  const { cluster } = driver
  const infos = createTopicInfos(cluster, settings, logger)
  const supervisors = new Set<Supervisor>()
  const producer = driver.createProducer(() => {
    for (const supervisor of supervisors) supervisor.nudge()
  })
  let closing: Promise<void> | undefined

  async function closeAll(deadlineMs: number): Promise<void> {
    const end = performance.now() + deadlineMs
    await Promise.all([...supervisors].map(supervisor => supervisor.close(deadlineMs)))
    await producer.close(Math.max(end - performance.now(), 100))
    await cluster.close()
  }

  return {
    name: 'kafka',
    capabilities: { order: 'key', rewind: true, maxBytes: settings.maxBytes },
    async ensureTopics(topics) {
      if (closing) throw new TransportClosed()
      await ensureTopics({ cluster, infos, settings, logger }, topics)
    },
    async describeTopics(topics) {
      if (closing) throw new TransportClosed()
      return await describeTopics(cluster, topics)
    },
    publish: createPublish({ producer, infos, settings }, () => closing !== undefined),
    async subscribe(wanted, onDelivery) {
      if (closing) throw new TransportClosed()
      return subscribe({ driver, settings, logger, infos, supervisors }, wanted, onDelivery)
    },
    health() {
      if (closing) return { ready: false, reason: 'closed' }
      const reasons = [producer.failure(), ...[...supervisors].map(supervisor => supervisor.failure())]
      const failure = reasons.find(error => error !== undefined)
      if (failure !== undefined) return { ready: false, reason: reasonOf(failure) }
      // The broker is well. Not to be ready would keep a roll-out from ending the processes that cause it.
      const unread = [...supervisors].flatMap(supervisor => supervisor.unread() ?? [])
      return unread.length === 0 ? { ready: true } : { ready: true, reason: unread.join('; ') }
    },
    close: deadlineMs => (closing ??= closeAll(deadlineMs))
  }
}
