import { randomUUID } from 'node:crypto'
import postgres from '@fastify/postgres'
import { startProxy, type TcpProxy, type TestDatabase, testDatabase, testKafka, until } from '@steadfast/dev-services'
import { defineEvent, type EventContract } from '@steadfast/events'
import outbox from '@steadfast/outbox'
import { migrate } from '@steadfast/store'
import kafkaTransport from '@steadfast/transport-kafka'
import postgresTransport from '@steadfast/transport-postgres'
import fastify, { type FastifyInstance, type FastifyPluginAsync, type FastifyServerOptions } from 'fastify'
import fp from 'fastify-plugin'
import type pg from 'pg'
import { Type } from 'typebox'
import { memoryBroker } from '../../events/test/memory-transport.ts'
import inbox, { type InboxOptions } from '../src/index.ts'
import { type DeliverOptions, deliveryOf } from '../src/testing.ts'

/** Topics and groups of their own for each test file: the broker is shared, and members of a group wait for each other. */
const run = randomUUID().slice(0, 8)
export const TASKS = `tasks-${run}`
export const RESULTS = `results-${run}`
export const SIGNALS = `shop-signals-${run}`

/** The consumer group of a service built here. */
export const groupOf = (source: string) => `${source}-${run}`

const data = Type.Object({ id: Type.String(), n: Type.Integer() })
export const Task = defineEvent({
  type: 'shop.task.requested',
  topic: TASKS,
  key: d => d.id,
  awaits: { from: 'worker' },
  data
})
export const TaskDone = defineEvent({
  type: 'worker.task.done',
  topic: RESULTS,
  key: d => d.id,
  answers: Task,
  data
})
export const Note = defineEvent({ type: 'shop.note', topic: TASKS, key: d => d.id, data })

export interface Built extends TestDatabase {
  app: FastifyInstance
}

export type Teardown = { teardown(handler: () => unknown): void }

export interface BuildOptions {
  source?: string
  contracts?: readonly EventContract[]
  inbox?: InboxOptions
  transport?: FastifyPluginAsync
  database?: TestDatabase
  outbox?: object
  server?: FastifyServerOptions
  /** Where the service finds the database, e.g. through a proxy. */
  url?: string
  before?(app: FastifyInstance): void | Promise<void>
}

/** Settings under which nothing waits long. */
export const FAST = { retryPollMs: 0, retry: { quickRetries: 1, quickRetryDelayMs: 1, delaysMs: [0, 0] }, pauseMs: 20 }

/** A service with a database of its own, closed at the end of the test. */
export async function build(
  t: Teardown,
  declare: (app: FastifyInstance) => void,
  options: BuildOptions = {}
): Promise<Built> {
  const database = options.database ?? (await testDatabase(t))
  await migrate(database.pool)
  const app = fastify(options.server)
  t.teardown(() => app.close())
  await app.register(postgres, { connectionString: options.url ?? database.url })
  await app.register(options.transport ?? memory())
  await app.register(outbox, {
    source: options.source ?? 'worker',
    contracts: options.contracts ?? [TaskDone as unknown as EventContract],
    replyTo: SIGNALS,
    ...options.outbox
  } as Parameters<typeof outbox>[1])
  await options.before?.(app)
  const group = groupOf(options.source ?? 'worker')
  const replyTo = { shop: SIGNALS, test: SIGNALS }
  await app.register(inbox, { ...FAST, group, replyTo, ensureTopics: { partitions: 3 }, ...options.inbox })
  declare(app)
  await database.pool.query('create table if not exists effect (id text not null, n integer not null)')
  await app.ready()
  return { app, ...database }
}

/** A way to a database that a test can cut off. */
export async function proxied(t: Teardown, url: string): Promise<{ proxy: TcpProxy; url: string }> {
  const address = new URL(url)
  const proxy = await startProxy({ targetPort: Number(address.port) })
  t.teardown(() => proxy.close())
  address.hostname = '127.0.0.1'
  address.port = String(proxy.port)
  return { proxy, url: address.href }
}

/** A transport plugin on a broker in memory; the same broker for all who are given it. */
export function memory(broker = memoryBroker()): FastifyPluginAsync {
  return fp(async (app: FastifyInstance) => {
    const transport = broker.create()
    app.decorate('transport', transport)
    app.addHook('onClose', () => transport.close(0))
  })
}

/** Each transport: how a test names it, and how it is registered in a service. */
export function transports(
  t: Teardown
): { name: string; skip: false | string; transport: (url: string) => FastifyPluginAsync }[] {
  const kafka = testKafka(t)
  const broker = memoryBroker()
  return [
    { name: 'memory', skip: false, transport: () => memory(broker) },
    {
      name: 'postgres',
      skip: false,
      transport: connectionString =>
        fp(async (app: FastifyInstance) => {
          await app.register(postgresTransport, { connectionString, pollIntervalMs: 20 })
        })
    },
    {
      name: 'kafka',
      skip: kafka ? false : 'no Kafka: Java ≥ 17 and Maven needed',
      transport: () =>
        fp(async (app: FastifyInstance) => {
          await app.register(kafkaTransport, { brokers: kafka?.brokers ?? [], maxWaitTimeMs: 50 })
        })
    }
  ]
}

/** Sends an event over the transport of a service, as another service's relay would. */
export async function send(
  app: FastifyInstance,
  contract: typeof Task | typeof Note | typeof TaskDone,
  data: { id: string; n: number },
  options: DeliverOptions = {}
): Promise<string> {
  const id = options.id ?? randomUUID()
  const { topic, key, headers, raw } = deliveryOf(contract as typeof Task, data, { ...options, id })
  const message = { topic, key: key?.toString() ?? id, headers, value: raw }
  // The broker may have no leader yet for a topic that was just made: it stored nothing then.
  await until(
    async () => {
      const [result] = await app.transport.publish([message], AbortSignal.timeout(10_000))
      if (result?.ok) return true
      if (result?.kind === 'unavailable') return false
      throw result?.error ?? new Error('not published')
    },
    { timeoutMs: 10_000 }
  )
  return id
}

/** Sends `count` tasks `<id>-<n>` from number `first` on, in one batch. */
export async function sendMany(app: FastifyInstance, id: string, first: number, count: number): Promise<void> {
  const numbers = Array.from({ length: count }, (_, i) => first + i)
  await publish(
    app,
    numbers.map(n => deliveryOf(Task, { id: `${id}-${n}`, n }, { id: randomUUID() }))
  )
}

/** Publishes deliveries made by hand, all at once; again what a broker without leaders did not take. */
export async function publish(app: FastifyInstance, deliveries: ReturnType<typeof deliveryOf>[]): Promise<void> {
  let rest = deliveries.map(({ topic, key, headers, raw }) => ({
    topic,
    key: key?.toString() ?? '',
    headers,
    value: raw
  }))
  await until(
    async () => {
      const results = await app.transport.publish(rest, AbortSignal.timeout(10_000))
      rest = rest.filter((_, i) => !results[i]?.ok)
      return rest.length === 0
    },
    { timeoutMs: 10_000 }
  )
}

export const insertEffect = (
  tx: { query(text: string, values?: unknown[]): Promise<unknown> },
  d: { id: string; n: number }
) => tx.query('insert into effect (id, n) values ($1, $2)', [d.id, d.n])

export async function effects(pool: pg.Pool, id?: string): Promise<number[]> {
  const { rows } = await pool.query('select n from effect where id = coalesce($1, id) order by ctid', [id])
  return rows.map(row => row.n)
}

export interface InboxRow {
  state: string
  outcome: number
  attempts: number
  body: Buffer | null
  error: { message: string; code?: string; status?: number } | null
  key: string
  type: string
}

export async function inboxRow(pool: pg.Pool, id: string): Promise<InboxRow | undefined> {
  return (await pool.query('select * from steadfast.inbox where event_id = $1', [id])).rows[0]
}

export async function events(pool: pg.Pool, type?: string) {
  const { rows } = await pool.query('select * from steadfast.event where type = coalesce($1, type) order by seq', [
    type
  ])
  return rows
}
