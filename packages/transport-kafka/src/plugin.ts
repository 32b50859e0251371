import type { Transport } from '@steadfast/events'
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { type KafkaTransportOptions, readSettings } from './options.ts'

export type { Transport } from '@steadfast/events/fastify'

/**
 * A plugin that decorates `fastify.transport` with a {@link Transport} over Kafka. Register it before the plugins that use
 * it: their preClose hooks stop claiming and consuming, and onClose, last in, first out, disconnects after them.
 */
export function pluginOf(create: (options: KafkaTransportOptions) => Transport) {
  const plugin: FastifyPluginAsync<KafkaTransportOptions> = async (fastify, options) => {
    const settings = readSettings(options)
    const transport = create({ logger: fastify.log, ...settings })
    fastify.decorate('transport', transport)
    fastify.addHook('onClose', () => transport.close(settings.closeTimeoutMs))
  }
  return fp(plugin, { fastify: '5.x', name: '@steadfast/transport-kafka' })
}
