import type { ConnectionOptions } from 'node:tls'
import { durationOption, InvalidOptions, instanceOption, parseOptions } from '@steadfast/events'
import { type Static, Type } from 'typebox'

/** How to authenticate. `mechanism` in any case. */
export interface Sasl {
  mechanism: string
  username?: string | (() => string | Promise<string>)
  password?: string | (() => string | Promise<string>)
  /** Of OAUTHBEARER: asked for with each authentication, so that it may change. */
  token?: string | (() => string | Promise<string>)
}

/** What the transport logs to; `fastify.log` and any pino logger fit. */
export interface Logger {
  debug(details: object, message: string): void
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER']
const OWNER = '@steadfast/transport-kafka'

/** Options of the Kafka transport. Durations are milliseconds. */
export const KafkaTransportSchema = Type.Object({
  brokers: Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: 'host:port of bootstrap brokers' }),
  clientId: Type.String({ minLength: 1, default: 'steadfast' }),
  ssl: Type.Optional(
    Type.Unsafe<boolean | ConnectionOptions>({
      anyOf: [{ type: 'boolean' }, { type: 'object' }],
      description: 'true, or options of node:tls'
    })
  ),
  sasl: Type.Optional(
    Type.Unsafe<Sasl>({
      type: 'object',
      required: ['mechanism'],
      properties: { mechanism: { type: 'string' } },
      description: 'mechanism (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER), username, password, token'
    })
  ),
  maxBytes: Type.Integer({
    minimum: 1024,
    default: 1_000_000,
    description: 'largest record batch; lowered per topic to its max.message.bytes'
  }),
  compression: Type.Union([Type.Literal('none'), Type.Literal('gzip'), Type.Literal('zstd')], {
    default: 'none',
    description: 'of record batches that it sends, where it makes them smaller'
  }),
  maxFetchBytes: Type.Integer({ minimum: 1024, default: 10_485_760, description: 'of one answer to a fetch' }),
  maxPartitionBytes: Type.Integer({
    minimum: 1024,
    default: 1_048_576,
    description: 'of one partition in an answer; a larger record batch comes alone'
  }),
  maxUnpackedBytes: Type.Integer({
    minimum: 1024,
    default: 67_108_864,
    description: 'of a compressed record batch when it is unpacked; a larger one is refused'
  }),
  instanceId: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9._-]{1,150}$',
      description: 'names this process in its groups: the same after a restart, and no other process has it'
    })
  ),
  replicationFactor: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 32767, description: 'of topics it creates; default 3, or as many as brokers' })
  ),
  connectionTimeoutMs: durationOption(3000, { description: 'for a TCP and TLS connection' }),
  requestTimeoutMs: durationOption(10_000, { description: 'for one answer of a broker' }),
  sessionTimeoutMs: durationOption(30_000, {
    description: 'after which the broker gives the partitions of a silent member to others'
  }),
  rebalanceTimeoutMs: durationOption(60_000, { description: 'for all members to rejoin' }),
  heartbeatIntervalMs: durationOption(3000, { description: 'between heartbeats' }),
  maxWaitTimeMs: durationOption(500, {
    description: 'a fetch waits so long for data; also bounds rewind, rebalance and close'
  }),
  closeTimeoutMs: durationOption(5000, { description: 'for the plugin to close the transport in' }),
  /** Default: fastify.log, or none for the bare factory. */
  logger: Type.Optional(instanceOption<Logger>('a logger', ['debug', 'info', 'warn', 'error']))
})

/** What a caller gives: only `brokers` is required. */
export type KafkaTransportOptions = Partial<Static<typeof KafkaTransportSchema>> & { brokers: string[] }

/** Options with defaults filled in. */
export type Settings = Static<typeof KafkaTransportSchema>

/** @throws SF_OPTIONS_INVALID */
export function readSettings(given: unknown): Settings {
  const settings = parseOptions(OWNER, KafkaTransportSchema, given)
  if (settings.heartbeatIntervalMs >= settings.sessionTimeoutMs)
    throw new InvalidOptions(OWNER, 'option "heartbeatIntervalMs" must be less than "sessionTimeoutMs"')
  const { sasl } = settings
  if (sasl !== undefined && !MECHANISMS.includes(sasl.mechanism.toUpperCase()))
    throw new InvalidOptions(OWNER, `option "sasl.mechanism" must be one of ${MECHANISMS.join(', ')}`)
  return settings
}
