import fastifyPostgres from '@fastify/postgres'
import Fastify from 'fastify'

const app = Fastify({ logger: true })
const deploy = process.env.DEPLOY_URL
await app.register(fastifyPostgres, { connectionString: process.env.DATABASE_URL })

app.post<{ Body: { product: string } }>('/orders', async (request, reply) => {
  const answer = await fetch(`${deploy}/deployments`, { method: 'POST', body: JSON.stringify(request.body) })
  const { id } = (await answer.json()) as { id: string }
  // dies here: deploy provisions, and nobody knows for whom
  const { rows } = await app.pg.query('insert into orders (id, product) values ($1, $2) returning *', [
    id,
    request.body.product
  ])
  return reply.code(202).send(rows[0])
})

setInterval(async () => {
  const { rows } = await app.pg.query("select id from orders where state = 'ordered'")
  for (const { id } of rows) {
    const answer = await fetch(`${deploy}/deployments/${id}`)
    const { state } = (await answer.json()) as { state: string }
    if (state === 'ready') await app.pg.query("update orders set state = 'ready' where id = $1", [id])
  }
}, 2000)

await app.listen({ port: 3000 })
