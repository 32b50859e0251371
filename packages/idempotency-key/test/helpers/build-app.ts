import postgres from '@fastify/postgres'
import { type Teardown, type TestDatabase, testDatabase } from '@steadfast/dev-services'
import { defineEvent } from '@steadfast/events'
import outbox, { type OutboxOptions } from '@steadfast/outbox'
import { migrate } from '@steadfast/store'
import Fastify, { type FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import idempotencyKey, { type IdempotencyKeyOptions } from '../../src/index.ts'

export const OrderPlaced = defineEvent({
  type: 'test.order.placed',
  topic: 'test.orders',
  key: data => data.orderId,
  data: Type.Object({ orderId: Type.String() })
})

interface AppOptions extends Partial<IdempotencyKeyOptions> {
  /** Stands in for the database's own. */
  port?: number
  /** Connections of the pool. */
  max?: number
  outbox?: Partial<OutboxOptions>
}

/** A server with the plugin on a database; all callers share their keys unless the options say otherwise. */
export async function startApp(
  database: Pick<TestDatabase, 'url'>,
  routes: (app: FastifyInstance) => unknown = orderRoutes,
  { port, max = 8, outbox: outboxOptions, ...options }: AppOptions = {}
): Promise<FastifyInstance> {
  const app = Fastify()
  const url = new URL(database.url)
  if (port !== undefined) url.port = String(port)
  await app.register(postgres, { connectionString: url.href, max })
  await app.register(outbox, { source: 'test', contracts: [OrderPlaced], ...outboxOptions })
  await app.register(idempotencyKey, { principal: 'shared', ...options })
  await routes(app)
  await app.ready()
  return app
}

/** `POST /orders`: stores an order of a new id, and its event. */
export function orderRoutes(app: FastifyInstance): void {
  app.post('/orders', { transaction: true, idempotencyKey: true }, async (request, reply) => {
    const { rows } = await request.tx.query<{ id: string }>('insert into orders default values returning id')
    const id = String(rows[0]?.id)
    await reply.sendEvent(OrderPlaced, { orderId: id })
    return reply.code(202).header('location', `/orders/${id}`).header('x-other', '1').send({ id })
  })
}

export async function ordersDatabase(t: Teardown): Promise<TestDatabase> {
  const database = await testDatabase(t)
  await migrate(database.pool)
  await database.pool.query('create table orders (id bigint primary key generated always as identity)')
  return database
}

/** How many rows there are. */
export async function stored({ pool }: TestDatabase): Promise<{ orders: number; events: number; keys: number }> {
  const { rows } = await pool.query(`select (select count(*)::int from orders) as orders,
    (select count(*)::int from steadfast.event) as events, (select count(*)::int from steadfast.idempotency) as keys`)
  return rows[0]
}

export async function buildApp(
  t: Teardown,
  routes?: (app: FastifyInstance) => unknown,
  options?: AppOptions
): Promise<{ app: FastifyInstance; database: TestDatabase }> {
  const database = await ordersDatabase(t)
  const app = await startApp(database, routes, options)
  t.teardown(() => app.close())
  return { app, database }
}

/** A request to place an order under a key. */
export const order = (key: string, payload: object = { product: 'a' }) =>
  ({ method: 'POST', url: '/orders', headers: { 'idempotency-key': key }, payload }) as const
