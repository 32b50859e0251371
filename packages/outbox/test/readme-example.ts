import postgres from '@fastify/postgres'
import { defineEvent } from '@steadfast/events'
import outbox from '@steadfast/outbox'
import Fastify from 'fastify'
import { Type } from 'typebox'

const OrderPlaced = defineEvent({
  type: 'shop.order.placed',
  topic: 'shop.orders',
  key: data => data.orderId,
  data: Type.Object({ orderId: Type.String(), product: Type.String() })
})

export const app = Fastify({ logger: true })
await app.register(postgres, { connectionString: process.env.DATABASE_URL })
await app.register(outbox, { source: 'shop', contracts: [OrderPlaced] })

app.post<{ Body: { product: string } }>('/orders', { transaction: true }, async (request, reply) => {
  const { product } = request.body
  const { rows } = await request.tx.query<{ id: string }>('insert into orders (product) values ($1) returning id', [
    product
  ])
  const [order] = rows
  await reply.sendEvent(OrderPlaced, { orderId: String(order?.id), product })
  return reply.code(202).send(order)
})
