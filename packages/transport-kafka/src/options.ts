import { durationOption, InvalidOptions, instanceOption, parseOptions } from '@steadfast/events'
import type { KafkaConfig } from 'kafkajs'
import { type Static, Type } from 'typebox'

/** What the transport logs to; `fastify.log` and any pino logger fit. */
export interface Logger {
  debug(details: object, message: string): void
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

const OWNER = '@steadfast/transport-kafka'

/** Options of the Kafka transport. Durations are milliseconds. */
export const KafkaTransportSchema = Type.Object({
  brokers: Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: 'host:port of bootstrap brokers' }),
  clientId: Type.String({ minLength: 1, default: 'steadfast' }),
  ssl: Type.Optional(
    Type.Unsafe<NonNullable<KafkaConfig['ssl']>>({
      anyOf: [{ type: 'boolean' }, { type: 'object' }],
      description: 'true, or options of node:tls'
    })
  ),
  sasl: Type.Optional(
    Type.Unsafe<NonNullable<KafkaConfig['sasl']>>({ type: 'object', description: 'as kafkajs takes it' })
  ),
  maxBytes: Type.Integer({
    minimum: 1024,
    default: 1_000_000,
    description: 'largest record batch; lowered per topic to its max.message.bytes'
  }),
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
  return settings
}
