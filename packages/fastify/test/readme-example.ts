import postgres from '@fastify/postgres'
import { defineEvent } from '@steadfast/events'
import steadfast from '@steadfast/fastify'
import postgresTransport from '@steadfast/transport-postgres'
import Fastify from 'fastify'
import { Type } from 'typebox'

const Ordered = defineEvent({
  type: 'shop.ordered',
  topic: 'shop.orders',
  key: data => data.orderId,
  data: Type.Object({ orderId: Type.String() })
})

export const app = Fastify({ logger: true })
const connectionString = process.env.DATABASE_URL ?? 'postgres://localhost/shop'
await app.register(postgres, { connectionString })
await app.register(steadfast, {
  source: 'shop',
  contracts: [Ordered],
  migrate: true,
  transport: app => app.register(postgresTransport, { connectionString }),
  inbox: { ensureTopics: { partitions: 4 } },
  reconciliation: { authorize: request => request.headers.authorization === `Bearer ${process.env.OPERATOR_TOKEN}` }
})

app.post('/orders/:orderId', { transaction: true }, async (request, reply) => {
  await reply.sendEvent(Ordered, request.params as { orderId: string })
  return reply.code(202).send()
})

app.onEvent(Ordered, async request => {
  request.log.info({ orderId: request.body.orderId }, 'ordered')
})
