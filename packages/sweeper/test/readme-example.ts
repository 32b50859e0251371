import postgres from '@fastify/postgres'
import { defineEvent } from '@steadfast/events'
import outbox from '@steadfast/outbox'
import relay from '@steadfast/relay'
import sweeper from '@steadfast/sweeper'
import postgresTransport from '@steadfast/transport-postgres'
import Fastify from 'fastify'
import { Type } from 'typebox'

const ShipmentRequested = defineEvent({
  type: 'shop.shipment.requested',
  topic: 'shop.shipments',
  key: data => data.orderId,
  awaits: { from: 'warehouse' },
  data: Type.Object({ orderId: Type.String() })
})

export const app = Fastify({ logger: true })
const connectionString = process.env.DATABASE_URL ?? 'postgres://localhost/shop'
await app.register(postgres, { connectionString })
await app.register(postgresTransport, { connectionString })
await app.register(outbox, { source: 'shop', contracts: [ShipmentRequested], confirmWithinMs: 30_000 })
await app.register(relay)
await app.register(sweeper, { maxResendsOutstanding: 50 })

app.post('/orders/:orderId/ship', { transaction: true }, async (request, reply) => {
  await reply.sendEvent(ShipmentRequested, request.params as { orderId: string })
  return reply.code(202).send()
})
