import type { Transport } from '@steadfast/events'
import { createTransport } from '../create-transport.ts'
import type { KafkaTransportOptions } from '../options.ts'
import { pluginOf } from '../plugin.ts'
import { kafkajsDriver } from './driver.ts'

/**
 * Makes a transport on kafkajs without Fastify. Nothing is connected before it is used; whoever makes it closes it.
 *
 * @throws SF_OPTIONS_INVALID
 */
export const createKafkaTransport = (options: KafkaTransportOptions): Transport =>
  createTransport(options, kafkajsDriver)

/** The plugin, on kafkajs, for services that run it already. */
export const kafkaTransport = pluginOf(createKafkaTransport)
export default kafkaTransport
export * as errors from '../errors.ts'
export type { KafkaTransportOptions, Logger } from '../options.ts'
