import type { Transport } from '@steadfast/events'
import { createTransport } from './create-transport.ts'
import type { KafkaTransportOptions } from './options.ts'
import { platformaticDriver } from './platformatic/driver.ts'
import { pluginOf } from './plugin.ts'

/**
 * Makes a transport without Fastify. Nothing is connected before it is used; whoever makes it closes it.
 *
 * @throws SF_OPTIONS_INVALID
 */
export const createKafkaTransport = (options: KafkaTransportOptions): Transport =>
  createTransport(options, platformaticDriver)

/** The plugin. */
export const kafkaTransport = pluginOf(createKafkaTransport)
export default kafkaTransport
export * as errors from './errors.ts'
export type { KafkaTransportOptions, Logger } from './options.ts'
