import postgres from '@fastify/postgres'
import { defineEvent } from '@steadfast/events'
import outbox from '@steadfast/outbox'
import relay from '@steadfast/relay'
import postgresTransport from '@steadfast/transport-postgres'
import Fastify from 'fastify'
import { Type } from 'typebox'

const OrderPlaced = defineEvent({
  type: 'shop.order.placed',
  topic: 'shop.orders',
  key: data => data.orderId,
  data: Type.Object({ orderId: Type.String() })
})

export const app = Fastify({ logger: true })
const connectionString = process.env.DATABASE_URL ?? 'postgres://localhost/shop'
await app.register(postgres, { connectionString })
await app.register(postgresTransport, { connectionString })
await app.register(outbox, { source: 'shop', contracts: [OrderPlaced] })
await app.register(relay)

app.post('/orders/:orderId', { transaction: true }, async (request, reply) => {
  await reply.sendEvent(OrderPlaced, request.params as { orderId: string })
  return reply.code(202).send()
})
