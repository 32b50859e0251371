import { once } from 'node:events'
import postgres from '@fastify/postgres'
import { type TestDatabase, testDatabase, until } from '@steadfast/dev-services'
import { defineEvent } from '@steadfast/events'
import { migrate } from '@steadfast/store'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { Type } from 'typebox'
import outbox, { type OutboxOptions } from '../../src/index.ts'

export const OrderPlaced = defineEvent({
  type: 'test.order.placed',
  topic: 'test.orders',
  key: data => data.orderId,
  data: Type.Object({ orderId: Type.String() })
})

export interface TestApp {
  app: FastifyInstance
  database: TestDatabase
  /** Business rows and events, by order id, sorted. Both lists are equal whenever nothing is torn. */
  stored(): Promise<{ orders: string[]; events: string[] }>
  /** Waits until the pool of the application is fully idle and none of its sessions is in a transaction. */
  quiet(): Promise<void>
}

interface Teardown {
  teardown(handler: () => unknown): void
}

/** An application with an outbox and a table of orders, on a database of its own. */
export async function buildApp(
  t: Teardown,
  routes: (app: FastifyInstance) => unknown,
  {
    outboxOptions = {},
    server = {},
    pool = {}
  }: {
    outboxOptions?: Partial<OutboxOptions>
    server?: FastifyServerOptions
    pool?: postgres.PostgresPluginOptions
  } = {}
): Promise<TestApp> {
  const database = await testDatabase(t)
  await migrate(database.pool)
  await database.pool.query(
    `create table orders (id text primary key, product text not null default 'x',
       constraint orders_product unique (product, id) deferrable initially deferred)`
  )
  await database.pool.query('create table slot (n integer constraint slot_once unique deferrable initially deferred)')
  await database.pool.query('insert into slot values (1)')
  const app = Fastify({ logger: false, ...server })
  t.teardown(() => app.close())
  await app.register(postgres, {
    connectionString: database.url,
    max: 4,
    application_name: 'app',
    ...pool
  } as postgres.PostgresPluginOptions)
  await app.register(outbox, { source: 'test', contracts: [OrderPlaced], ...outboxOptions })
  await routes(app)
  await app.ready()
  return {
    app,
    database,
    async stored() {
      const orders = await database.pool.query('select id from orders order by id')
      const events = await database.pool.query('select key from steadfast.event order by key')
      return { orders: orders.rows.map(r => r.id), events: events.rows.map(r => r.key) }
    },
    async quiet() {
      const { pool } = app.pg
      await until(() => pool.totalCount === pool.idleCount && pool.waitingCount === 0, { what: 'idle pool' })
      await until(
        async () => {
          const { rows } = await database.pool.query(
            `select count(*)::int as n from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid() and state like 'idle in transaction%'`
          )
          return rows[0].n === 0
        },
        { what: 'no session idle in transaction' }
      )
    }
  }
}

/** Listens on a free port and gives the address. */
export async function listen(app: FastifyInstance): Promise<string> {
  return app.listen({ port: 0, host: '127.0.0.1' })
}

export { once }
