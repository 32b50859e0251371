import { InvalidOptions } from '@steadfast/events'
import type { Driver } from '../driver.ts'
import type { Logger, Settings } from '../options.ts'
import { askCluster } from './ask-cluster.ts'
import { createMember } from './member.ts'
import { createProducer } from './producer.ts'

const OWNER = '@steadfast/transport-kafka/kafkajs'

/** The client `kafkajs`, by its documented API. */
export function kafkajsDriver(settings: Settings, logger: Logger): Driver {
  if (settings.compression === 'zstd') throw new InvalidOptions(OWNER, 'option "compression": kafkajs has gzip alone')
  if (settings.brokers.some(broker => broker.startsWith('[')))
    throw new InvalidOptions(
      OWNER,
      'option "brokers": kafkajs takes no addresses of IPv6, only names that stand for them'
    )
  return {
    cluster: askCluster(settings, logger),
    createProducer: onConnected => createProducer(settings, logger, onConnected),
    createMember: membership => createMember(settings, logger, membership)
  }
}
