import postgres from '@fastify/postgres'
import inbox from '@steadfast/inbox'
import outbox, { type OutboxOptions } from '@steadfast/outbox'
import relay from '@steadfast/relay'
import { migrate } from '@steadfast/store'
import sweeper from '@steadfast/sweeper'
import kafkaTransport from '@steadfast/transport-kafka'
import Fastify, { type FastifyInstance } from 'fastify'

/** A variable of the environment. */
export function env(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`environment: ${name} is missing`)
  return value
}

/** A server with everything that both services need, and the tables it is given. */
export async function connect(options: OutboxOptions, tables: string): Promise<FastifyInstance> {
  const app = Fastify({ logger: { level: 'warn' } })
  await app.register(postgres, { connectionString: env('DATABASE_URL') })
  await migrate(app.pg.pool)
  await app.pg.query(tables)
  await app.register(kafkaTransport, {
    brokers: env('KAFKA_BROKERS').split(','),
    sessionTimeoutMs: 3000,
    heartbeatIntervalMs: 300
  })
  await app.register(outbox, options)
  await app.register(relay)
  await app.register(sweeper, { sweepIntervalMs: 300 })
  await app.register(inbox, {
    ensureTopics: { partitions: 3 },
    retryPollMs: 200,
    retry: { quickRetries: 1, delaysMs: [100, 200, 400] }
  })
  return app
}
