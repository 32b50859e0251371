import postgres from '@fastify/postgres'
import { type TestDatabase, testDatabase, until } from '@steadfast/dev-services'
import { defineEvent } from '@steadfast/events'
import { migrate } from '@steadfast/store'
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions
} from 'fastify'
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
    pool = {},
    through = port => port
  }: {
    outboxOptions?: Partial<OutboxOptions>
    server?: FastifyServerOptions
    pool?: postgres.PostgresPluginOptions
    /** Puts something between the application and the database: is given its port and gives another. */
    through?: (port: number) => number | Promise<number>
  } = {}
): Promise<TestApp> {
  const database = await testDatabase(t)
  await migrate(database.pool)
  await database.pool.query(`create table orders (id text primary key);
    create table slot (n integer unique deferrable initially deferred);
    insert into slot values (1)`)
  const app = Fastify({ logger: false, ...server })
  t.teardown(() => app.close())
  const url = new URL(database.url)
  url.port = String(await through(Number(url.port)))
  await app.register(postgres, { connectionString: url.href, max: 4, ...pool })
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

/** What every route of these tests does first: a business row and its event. */
export async function placeOrder(request: FastifyRequest, reply: FastifyReply, id: string): Promise<void> {
  await request.tx.query('insert into orders (id) values ($1)', [id])
  await reply.sendEvent(OrderPlaced, { orderId: id })
}

/** Listens on a free port and gives the address. */
export async function listen(app: FastifyInstance): Promise<string> {
  // The default backlog of 511 is too short for 1,000 callers at once.
  return app.listen({ port: 0, host: '127.0.0.1', backlog: 2048 })
}
