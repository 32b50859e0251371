import { randomUUID } from 'node:crypto'
import fastifyPostgres from '@fastify/postgres'
import steadfast from '@steadfast/fastify'
import kafkaTransport from '@steadfast/transport-kafka'
import { DeploymentRequested, DeploymentSucceeded } from '@steadfast-examples/contracts'
import Fastify from 'fastify'

const app = Fastify({ logger: true })
await app.register(fastifyPostgres, { connectionString: process.env.DATABASE_URL })
await app.register(steadfast, {
  source: 'market',
  contracts: [DeploymentRequested],
  transport: app => app.register(kafkaTransport, { brokers: [process.env.KAFKA_BROKER ?? 'localhost:9092'] })
})

app.post<{ Body: { product: string; plan: string } }>('/orders', { transaction: true }, async (request, reply) => {
  const { product, plan } = request.body
  const orderId = randomUUID()
  await request.tx.query('insert into orders (id, product) values ($1, $2)', [orderId, product])
  await reply.sendEvent(DeploymentRequested, { orderId, product, plan })
  return reply.code(202).send({ orderId })
})

app.onEvent(DeploymentSucceeded, async request => {
  await request.tx.query("update orders set state = 'ready' where id = $1", [request.body.orderId])
})

await app.listen({ port: 3000 })
