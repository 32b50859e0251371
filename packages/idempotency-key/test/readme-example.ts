import postgres from '@fastify/postgres'
import idempotencyKey from '@steadfast/idempotency-key'
import outbox from '@steadfast/outbox'
import Fastify from 'fastify'

export const app = Fastify()
await app.register(postgres, { connectionString: process.env.DATABASE_URL })
await app.register(outbox, { source: 'shop' })
await app.register(idempotencyKey, { principal: request => String(request.headers['x-account']) })

app.post<{ Body: { product: string } }>(
  '/orders',
  { transaction: true, idempotencyKey: true },
  async (request, reply) => {
    const { rows } = await request.tx.query('insert into orders (product) values ($1) returning id', [
      request.body.product
    ])
    return reply.code(202).send(rows[0])
  }
)
