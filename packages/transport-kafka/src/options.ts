import type { KafkaConfig } from 'kafkajs'
import { type Static, Type } from 'typebox'

/** What the transport logs to; `fastify.log` and any pino logger fit. */
export interface Logger {
  debug(details: object, message: string): void
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

const duration = (fallback: number, description: string) =>
  Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1, default: fallback, description })

/** Options of the Kafka transport. Durations are milliseconds. */
export const KafkaTransportSchema = Type.Object({
  brokers: Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: 'host:port of bootstrap brokers' }),
  clientId: Type.String({ minLength: 1, default: 'steadfast' }),
  ssl: Type.Optional(Type.Unsafe<NonNullable<KafkaConfig['ssl']>>({ description: 'true, or options of node:tls' })),
  sasl: Type.Optional(Type.Unsafe<NonNullable<KafkaConfig['sasl']>>({ description: 'as kafkajs takes it' })),
  maxBytes: Type.Integer({
    minimum: 1024,
    default: 1_000_000,
    description: 'largest record batch; lowered per topic to its max.message.bytes'
  }),
  replicationFactor: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 32767, description: 'of topics it creates; default 3, or as many as brokers' })
  ),
  connectionTimeoutMs: duration(3000, 'for a TCP and TLS connection'),
  requestTimeoutMs: duration(10_000, 'for one answer of a broker'),
  sessionTimeoutMs: duration(30_000, 'after which the broker gives the partitions of a silent member to others'),
  rebalanceTimeoutMs: duration(60_000, 'for all members to rejoin'),
  heartbeatIntervalMs: duration(3000, 'between heartbeats'),
  maxWaitTimeMs: duration(500, 'a fetch waits so long for data; also bounds seek, rebalance and close'),
  closeTimeoutMs: duration(10_000, 'for the plugin to close the transport in'),
  logger: Type.Optional(Type.Unsafe<Logger>({ description: 'default: fastify.log, or none for the bare factory' }))
})

/** What a caller gives: only `brokers` is required. */
export type KafkaTransportOptions = Partial<Static<typeof KafkaTransportSchema>> & { brokers: string[] }

/** Options with defaults filled in. */
export type Settings = Static<typeof KafkaTransportSchema>
