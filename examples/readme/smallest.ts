import fastifyPostgres from '@fastify/postgres'
import { defineEvent } from '@steadfast/events'
import steadfast from '@steadfast/fastify'
import postgresTransport from '@steadfast/transport-postgres'
import Fastify from 'fastify'
import { Type } from 'typebox'

const Greeted = defineEvent({
  type: 'hello.greeted',
  topic: 'hello',
  key: data => data.name,
  data: Type.Object({ name: Type.String() })
})

const app = Fastify({ logger: true })
const connectionString = process.env.DATABASE_URL ?? 'postgres://localhost/hello'
await app.register(fastifyPostgres, { connectionString })
await app.pg.query('create table if not exists greeting (event_id uuid primary key, name text)')
await app.register(steadfast, {
  source: 'hello',
  contracts: [Greeted],
  migrate: true,
  transport: app => app.register(postgresTransport, { connectionString }),
  inbox: { ensureTopics: { partitions: 4 } }
})

app.post<{ Params: { name: string } }>('/greet/:name', { transaction: true }, async (request, reply) => {
  const event = await reply.sendEvent(Greeted, { name: request.params.name })
  return reply.code(202).send({ id: event.id })
})

app.onEvent(Greeted, async request => {
  await request.tx.query('insert into greeting values ($1, $2)', [request.event.id, request.body.name])
})

app.get('/greetings', async () => (await app.pg.query('select name from greeting order by event_id')).rows)

await app.listen({ port: Number(process.env.PORT ?? 3000) })
