import postgres from '@fastify/postgres'
import { defineEvent } from '@steadfast/events'
import inbox from '@steadfast/inbox'
import outbox from '@steadfast/outbox'
import transport from '@steadfast/transport-postgres'
import Fastify from 'fastify'
import { Type } from 'typebox'

const GiftOrdered = defineEvent({
  type: 'shop.gift.ordered',
  topic: 'shop.gifts',
  key: data => data.orderId,
  awaits: { from: 'packing' },
  data: Type.Object({ orderId: Type.String(), wrap: Type.Boolean() })
})
const GiftPacked = defineEvent({
  type: 'packing.gift.packed',
  topic: 'packing.gifts',
  key: data => data.orderId,
  answers: GiftOrdered,
  data: Type.Object({ orderId: Type.String() })
})

export const app = Fastify()
await app.register(postgres, { connectionString: process.env.DATABASE_URL })
await app.register(transport)
await app.register(outbox, { source: 'packing', contracts: [GiftPacked] })
await app.register(inbox, { ensureTopics: { partitions: 6 } })

app.onEvent(GiftOrdered, async (request, reply) => {
  const { orderId, wrap } = request.body
  await request.tx.query('insert into parcel (order_id, wrapped, asked_by) values ($1, $2, $3)', [
    orderId,
    wrap,
    request.event.id
  ])
  await reply.sendEvent(GiftPacked, { orderId })
  return reply.code(202).send()
})
