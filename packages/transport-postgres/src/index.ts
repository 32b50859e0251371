import { parseOptions } from '@steadfast/events'
import { findPool } from '@steadfast/events/postgres'
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import type { Pool } from 'pg'
import { createPostgresTransport } from './create-transport.ts'
import { type PostgresTransportOptions, PostgresTransportSchema } from './options.ts'

export type { Transport } from '@steadfast/events/fastify'
export { createPostgresTransport, type PostgresTransport } from './create-transport.ts'
export * as errors from './errors.ts'
export type { Logger, PostgresTransportOptions } from './options.ts'

const OWNER = '@steadfast/transport-postgres'

const plugin: FastifyPluginAsync<PostgresTransportOptions> = async (fastify, options) => {
  const settings = parseOptions(OWNER, PostgresTransportSchema, options)
  const { pg, pool, ...rest } = settings
  const own = rest.connectionString === undefined ? findPool<Pool>(fastify, OWNER, { pool, pg }) : pool
  const transport = createPostgresTransport({ logger: fastify.log, ...rest, ...(own && { pool: own }) })
  fastify.decorate('transport', transport)
  fastify.addHook('onClose', () => transport.close(settings.closeTimeoutMs))
}

/**
 * Decorates `fastify.transport` with a transport on a small log in PostgreSQL. Without `connectionString` and `pool`
 * it uses the pool of the outbox, or of @fastify/postgres, where that is registered before; with `pg` that of a named one.
 */
export const postgresTransport = fp(plugin, { fastify: '5.x', name: '@steadfast/transport-postgres' })
export default postgresTransport
