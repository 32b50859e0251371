import type { Driver } from '../driver.ts'
import type { Logger, Settings } from '../options.ts'
import { createMember } from './member.ts'
import { openCluster } from './open-cluster.ts'
import { createProducer } from './producer.ts'

/** The client `@platformatic/kafka`: its connections, its reading and writing of requests; the rest is this package's. */
export function platformaticDriver(settings: Settings, logger: Logger): Driver {
  const cluster = openCluster(settings)
  return {
    cluster,
    createProducer: onConnected => createProducer(cluster, settings, onConnected),
    createMember: membership => createMember(cluster, settings, logger, membership)
  }
}
