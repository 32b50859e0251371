import fastifyPostgres from '@fastify/postgres'
import kafkaTransport from '@steadfast/transport-kafka'
import Fastify, { type FastifyInstance } from 'fastify'

/** A server on the database and broker of the environment. It ends with the test that started it. */
export async function serve(connectionString: string | undefined, register: (app: FastifyInstance) => Promise<void>) {
  const app = Fastify({ logger: { level: process.env.LOG_LEVEL ?? 'error' } })
  await app.register(fastifyPostgres, { connectionString, max: 8 })
  await app.register(kafkaTransport, {
    brokers: (process.env.BROKERS ?? '').split(','),
    sessionTimeoutMs: 3000,
    heartbeatIntervalMs: 500,
    maxWaitTimeMs: 100
  })
  await register(app)
  await app.ready()
  process.stdin.resume().once('end', () => process.exit())
  process.stdout.write('ready\n')
}
