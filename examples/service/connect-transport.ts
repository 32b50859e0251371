import transportKafka from '@steadfast/transport-kafka'
import transportPostgres from '@steadfast/transport-postgres'
import type { FastifyInstance } from 'fastify'
import type { ServiceEnvironment } from './read-environment.ts'

/** Registers the transport that the environment names: all that differs between a laptop and a cluster. */
export async function connectTransport(app: FastifyInstance, env: ServiceEnvironment): Promise<void> {
  const timeoutMs = env.CONSUMER_TIMEOUT_MS
  if (env.TRANSPORT === 'kafka') {
    await app.register(transportKafka, {
      brokers: env.KAFKA_BROKERS.split(','),
      ...loginOf(env),
      sessionTimeoutMs: timeoutMs,
      heartbeatIntervalMs: Math.round(timeoutMs / 10)
    })
  } else {
    await app.register(transportPostgres, {
      connectionString: env.TRANSPORT_DATABASE_URL ?? env.DATABASE_URL,
      leaseMs: timeoutMs
    })
  }
}

function loginOf({ KAFKA_USERNAME: username, KAFKA_PASSWORD: password }: ServiceEnvironment) {
  if (username === undefined && password === undefined) return {}
  if (username === undefined || password === undefined)
    throw new Error('environment: KAFKA_USERNAME and KAFKA_PASSWORD need each other')
  return { sasl: { mechanism: 'plain' as const, username, password } }
}
