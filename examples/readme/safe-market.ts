import fastifyPostgres from '@fastify/postgres'
import inbox from '@steadfast/inbox'
import outbox from '@steadfast/outbox'
import relay from '@steadfast/relay'
import sweeper from '@steadfast/sweeper'
import kafkaTransport from '@steadfast/transport-kafka'
import { DeploymentRequested, DeploymentSucceeded } from '@steadfast-examples/contracts'
import Fastify from 'fastify'

const app = Fastify({ logger: true })
await app.register(fastifyPostgres, { connectionString: process.env.DATABASE_URL })
await app.register(kafkaTransport, { brokers: process.env.KAFKA_BROKERS.split(',') })
await app.register(outbox, { source: 'market', contracts: [DeploymentRequested] })
await app.register(relay)
await app.register(sweeper)
await app.register(inbox)

app.post<{ Body: { product: string; plan: string } }>('/orders', { transaction: true }, async (request, reply) => {
  const { product, plan } = request.body
  const { rows } = await request.tx.query('insert into orders (product) values ($1) returning *', [product])
  await reply.sendEvent(DeploymentRequested, { orderId: rows[0].id, product, plan })
  return reply.code(202).send(rows[0])
})

app.onEvent(DeploymentSucceeded, async request => {
  await request.tx.query("update orders set state = 'ready' where id = $1", [request.body.orderId])
})

await app.listen({ port: 3000 })
