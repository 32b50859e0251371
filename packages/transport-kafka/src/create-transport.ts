import type { Transport } from '@steadfast/events'
import { createAdmins } from './admin.ts'
import { ensureTopics } from './ensure-topics.ts'
import { TransportClosed } from './errors.ts'
import { type KafkaTransportOptions, type Logger, readSettings } from './options.ts'
import { createProducers } from './producer.ts'
import { createPublish } from './publish.ts'
import { subscribe } from './subscribe.ts'
import type { Supervisor } from './supervise.ts'
import { createTopicInfos } from './topic-info.ts'

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/**
 * Makes a transport without Fastify. Nothing is connected before it is used; whoever makes it closes it.
 *
 * @throws SF_OPTIONS_INVALID
 */
export function createKafkaTransport(options: KafkaTransportOptions): Transport {
  const settings = readSettings(options)
  const logger = settings.logger ?? SILENT
  const admins = createAdmins(settings, logger)
  const infos = createTopicInfos(admins, settings, logger)
  const supervisors = new Set<Supervisor>()
  const producers = createProducers(settings, logger, () => {
    for (const supervisor of supervisors) supervisor.nudge()
  })
  let closing: Promise<void> | undefined

  async function closeAll(deadlineMs: number): Promise<void> {
    const end = performance.now() + deadlineMs
    await Promise.all([...supervisors].map(supervisor => supervisor.close(deadlineMs)))
    const leftMs = Math.max(end - performance.now(), 100)
    await Promise.all([producers.close(leftMs), admins.close(leftMs)])
  }

  return {
    name: 'kafka',
    capabilities: { order: 'key', rewind: true, maxBytes: settings.maxBytes },
    async ensureTopics(topics) {
      if (closing) throw new TransportClosed()
      await ensureTopics({ admins, infos, settings, logger }, topics)
    },
    publish: createPublish({ producers, infos, settings }, () => closing !== undefined),
    async subscribe(wanted, onDelivery) {
      if (closing) throw new TransportClosed()
      return subscribe({ settings, logger, infos, admins, supervisors }, wanted, onDelivery)
    },
    health() {
      if (closing) return { ready: false, reason: 'closed' }
      const reasons = [producers.failure(), ...[...supervisors].map(supervisor => supervisor.failure())]
      const reason = reasons.find(error => error !== undefined)?.message
      if (reason !== undefined) return { ready: false, reason }
      // The broker is well. Not to be ready would keep a roll-out from ending the processes that cause it.
      const unread = [...supervisors].flatMap(supervisor => supervisor.unread() ?? [])
      return unread.length === 0 ? { ready: true } : { ready: true, reason: unread.join('; ') }
    },
    close: deadlineMs => (closing ??= closeAll(deadlineMs))
  }
}
