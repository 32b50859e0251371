import { parseOptions, type Transport } from '@steadfast/events'
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import type { Pool } from 'pg'
import { createPostgresTransport } from './create-transport.ts'
import { type PostgresTransportOptions, PostgresTransportSchema } from './options.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The broker adapter. */
    transport: Transport
  }
}

export { createPostgresTransport, type PostgresTransport } from './create-transport.ts'
export * as errors from './errors.ts'
export type { Logger, PostgresTransportOptions } from './options.ts'

const plugin: FastifyPluginAsync<PostgresTransportOptions> = async (fastify, options) => {
  const settings = parseOptions('@steadfast/transport-postgres', PostgresTransportSchema, options)
  const given = { logger: fastify.log, ...settings }
  const shared = (fastify as unknown as { pg?: { pool?: Pool } }).pg?.pool
  if (given.connectionString === undefined && shared) given.pool ??= shared
  const transport = createPostgresTransport(given)
  fastify.decorate('transport', transport)
  fastify.addHook('onClose', () => transport.close(settings.closeTimeoutMs))
}

/**
 * Decorates `fastify.transport` with a transport on a small log in PostgreSQL. Without `connectionString` and `pool`
 * it uses the pool of @fastify/postgres, where that is registered before.
 */
export const postgresTransport = fp(plugin, { fastify: '5.x', name: '@steadfast/transport-postgres' })
export default postgresTransport
