import type { Transport } from '@steadfast/events'
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { createKafkaTransport } from './create-transport.ts'
import { type KafkaTransportOptions, readSettings } from './options.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The broker adapter that relay and inbox use. */
    transport: Transport
  }
}

/**
 * Decorates `fastify.transport` with a {@link Transport} over Kafka. Register it before the plugins that use it: their
 * preClose hooks stop claiming and consuming, and onClose, last in, first out, disconnects after them.
 */
const plugin: FastifyPluginAsync<KafkaTransportOptions> = async (fastify, options) => {
  const settings = readSettings(options)
  const transport = createKafkaTransport({ logger: fastify.log, ...settings })
  fastify.decorate('transport', transport)
  fastify.addHook('onClose', () => transport.close(settings.closeTimeoutMs))
}

/** The plugin. */
export const kafkaTransport = fp(plugin, { fastify: '5.x', name: '@steadfast/transport-kafka' })
export default kafkaTransport
export { createKafkaTransport } from './create-transport.ts'
export * as errors from './errors.ts'
export type { KafkaTransportOptions, Logger } from './options.ts'
