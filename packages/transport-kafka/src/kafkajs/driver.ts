import type { Driver } from '../driver.ts'
import type { Logger, Settings } from '../options.ts'
import { askCluster } from './ask-cluster.ts'
import { createMember } from './member.ts'
import { createProducer } from './producer.ts'

/** The client `kafkajs`, by its documented API. */
export function kafkajsDriver(settings: Settings, logger: Logger): Driver {
  return {
    cluster: askCluster(settings, logger),
    createProducer: onConnected => createProducer(settings, logger, onConnected),
    createMember: membership => createMember(settings, logger, membership)
  }
}
