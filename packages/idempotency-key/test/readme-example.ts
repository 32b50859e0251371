import postgres from '@fastify/postgres'
import idempotencyKey from '@steadfast/idempotency-key'
import outbox from '@steadfast/outbox'
import Fastify from 'fastify'

declare module 'fastify' {
  interface FastifyRequest {
    account: string
  }
}

export const app = Fastify()
await app.register(postgres, { connectionString: process.env.DATABASE_URL })
await app.register(outbox, { source: 'shop' })
await app.register(idempotencyKey, { principal: request => request.account })

// In the place of the authentication that you have.
app.decorateRequest('account', '')
app.addHook('onRequest', async request => {
  const { rows } = await app.pg.query('select account from login where token = $1', [request.headers.authorization])
  if (rows.length === 0) throw Object.assign(new Error('Log in first'), { statusCode: 401 })
  request.account = rows[0].account
})

app.post<{ Body: { product: string } }>(
  '/orders',
  { transaction: true, idempotencyKey: true },
  async (request, reply) => {
    const { rows } = await request.tx.query('insert into orders (account, product) values ($1, $2) returning id', [
      request.account,
      request.body.product
    ])
    return reply.code(202).send(rows[0])
  }
)
