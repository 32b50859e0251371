import { CENTURY_MS, durationOption, instanceOption, parseOptions } from '@steadfast/events'
import { poolOptions } from '@steadfast/events/postgres'
import type { Pool } from 'pg'
import { type Static, Type } from 'typebox'
import { InvalidOption } from './errors.ts'

/** What the transport logs to; `fastify.log` and any pino logger fit. */
export interface Logger {
  debug(details: object, message: string): void
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

/** Options of the PostgreSQL transport. Durations are milliseconds. */
export const PostgresTransportSchema = Type.Object({
  connectionString: Type.Optional(Type.String({ minLength: 1, description: 'for a pool of its own' })),
  /** A pool of yours; it is not closed. `pg`: the same, by the name under which @fastify/postgres was registered; for the plugin. */
  ...poolOptions<Pool>(),
  listenConnectionString: Type.Optional(
    Type.String({ minLength: 1, description: 'direct connection for LISTEN where the other goes through pgbouncer' })
  ),
  schema: Type.String({
    pattern: '^[a-z_][a-z0-9_]{0,62}$',
    default: 'steadfast_log',
    description: 'schema of the tables'
  }),
  partitions: Type.Integer({
    minimum: 1,
    maximum: 1000,
    default: 4,
    description: 'of a topic that is made on first use'
  }),
  maxBytes: Type.Integer({ minimum: 1, maximum: 2 ** 26, default: 2 ** 20, description: 'largest value and headers' }),
  pollIntervalMs: durationOption(250, { description: 'a consumer looks for messages at least so often' }),
  leaseMs: durationOption(10_000, { minimum: 300, description: 'a silent member loses its partitions after so long' }),
  retentionMs: Type.Integer({
    minimum: 1000,
    maximum: CENTURY_MS,
    default: 7 * 24 * 3_600_000,
    description: 'messages are kept for so long, read or not'
  }),
  publishTimeoutMs: durationOption(10_000, { description: 'publish settles within this time' }),
  notify: Type.Boolean({ default: true, description: 'wake consumers by NOTIFY; polling goes on' }),
  closeTimeoutMs: durationOption(5000, { description: 'for the plugin to close the transport in' }),
  /** Default: fastify.log, or none for the bare factory. */
  logger: Type.Optional(instanceOption<Logger>('a logger', ['debug', 'info', 'warn', 'error']))
})

/** What a caller gives. One of `connectionString` and `pool` is required. */
export type PostgresTransportOptions = Partial<Static<typeof PostgresTransportSchema>>

/** Options with defaults filled in. */
export type Settings = Static<typeof PostgresTransportSchema>

/**
 * Checks options and fills in the defaults.
 *
 * @throws SF_OPTIONS_INVALID, SF_TRANSPORT_POSTGRES_OPTION_INVALID
 */
export function readSettings(options: PostgresTransportOptions): Settings {
  const settings = parseOptions('@steadfast/transport-postgres', PostgresTransportSchema, options)
  if (settings.schema.startsWith('pg_'))
    throw new InvalidOption('Names with pg_ belong to PostgreSQL: choose another schema')
  if ((settings.pool === undefined) === (settings.connectionString === undefined)) {
    throw new InvalidOption('One of the options connectionString and pool is needed')
  }
  return settings
}

/** A logger that says nothing. */
export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }
