import type {} from '@fastify/postgres'
import { parseOptions, type Transport } from '@steadfast/events'
import { DEFAULT_SCHEMA, requireSchema, storeOn } from '@steadfast/store'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import cron from 'node-cron'
import type { Client, ClientConfig, Pool } from 'pg'
import { Type } from 'typebox'
import { createAnnouncer } from './announce.ts'
import { boundedQueries } from './bounded-queries.ts'
import { createRelay, type Relay } from './create-relay.ts'
import { ScheduleInvalid } from './errors.ts'

export type { Relay, Tally } from './create-relay.ts'
export * as errors from './errors.ts'

declare module 'fastify' {
  interface FastifyInstance {
    relay: Relay
  }
}

/** Options of the relay. All durations in ms. */
export interface RelayOptions {
  /** Events in one batch. Default 1000. */
  batchSize?: number
  /** Payload bytes in one batch; an event larger than this goes alone. Default 8 MiB. */
  maxBatchBytes?: number
  /** Between two looks of an idle relay that nobody wakes. Default 200. */
  pollIntervalMs?: number
  /** Cron expression (node-cron, to the second) of the polling floor; `false`: only `tick()` works. Default every second. */
  schedule?: string | false
  /** Between two signs of life. Default 1000. */
  beatIntervalMs?: number
  /** After so long without one, others take a relay's lanes. Default 5000. */
  deadAfterMs?: number
  /** The longest send. Default 30,000. */
  sendTimeoutMs?: number
  /** The longest wait for an answer of the database, or for a connection of the pool. Default 15,000. */
  queryTimeoutMs?: number
  /** How long closing waits for the send under way. Default 10,000. */
  closeDeadlineMs?: number
  /**
   * `true`: after commits in this process, relays of other processes are woken by NOTIFY, and this one listens, on a
   * connection of its own. Behind a pooler in transaction mode give the server's own address. Default false.
   */
  notify?: boolean | { connectionString: string }
  /** Between two questions whether the listening connection still answers. Default 5000. */
  notifyHeartbeatMs?: number
  /** Schema of Steadfast's tables. Default: the outbox's, else `steadfast`. */
  schema?: string
  /** Where connections come from. Default `fastify.pg.pool`, of which it takes two at most and never the last. */
  pool?: Pool
}

const ms = (fallback: number) => Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1, default: fallback })
const Options = Type.Object({
  batchSize: Type.Integer({ minimum: 1, maximum: 10_000, default: 1000 }),
  maxBatchBytes: Type.Integer({ minimum: 1, default: 8 * 1024 * 1024 }),
  pollIntervalMs: ms(200),
  schedule: Type.Unsafe<string | false>({ anyOf: [{ type: 'string' }, { const: false }], default: '* * * * * *' }),
  beatIntervalMs: ms(1000),
  deadAfterMs: ms(5000),
  sendTimeoutMs: ms(30_000),
  queryTimeoutMs: ms(15_000),
  closeDeadlineMs: ms(10_000),
  notify: Type.Union([Type.Boolean(), Type.Object({ connectionString: Type.String() })], { default: false }),
  notifyHeartbeatMs: ms(5000),
  schema: Type.Optional(Type.String()),
  pool: Type.Optional(Type.Unsafe<Pool>({}))
})

async function relayPlugin(fastify: FastifyInstance, given: RelayOptions): Promise<void> {
  const options = parseOptions('@steadfast/relay', Options, given)
  if (options.schedule !== false && !cron.validate(options.schedule)) throw new ScheduleInvalid(options.schedule)
  const { transport, outbox } = fastify as unknown as {
    transport: Transport
    outbox?: { schema: string; onCommit(listener: () => void): () => void }
  }
  const pool = options.pool ?? fastify.pg.pool
  const schema = options.schema ?? outbox?.schema ?? DEFAULT_SCHEMA
  const clients = Math.max(1, Math.min(2, (pool.options.max ?? 10) - 1))
  const queries = boundedQueries(pool, { clients, timeoutMs: options.queryTimeoutMs })
  const log = fastify.log.child({ name: '@steadfast/relay' })
  const db = storeOn(queries, schema)
  const relay = createRelay(db, transport, options, log)
  const announcer =
    options.notify === false || options.schedule === false
      ? undefined
      : createAnnouncer({
          db,
          connect: listeningClient(pool, options.notify),
          heard: () => relay.wake(),
          log,
          heartbeatMs: options.notifyHeartbeatMs
        })
  const lost = ({ message }: Error) => log.debug({ reason: message }, 'an idle connection was lost')
  pool.on('error', lost)
  fastify.decorate('relay', relay)
  const committed = () => {
    relay.wake()
    announcer?.announce()
  }
  const forget = options.schedule === false ? undefined : outbox?.onCommit(committed)

  fastify.addHook('onReady', async () => {
    await requireSchema(pool, schema)
    relay.start()
    announcer?.start()
  })
  fastify.addHook('preClose', async () => {
    forget?.()
    await Promise.all([relay.close(), announcer?.close()])
  })
  // The pool of the server keeps its listener: it ends after this plugin does, and may lose a connection until then.
  const { pool: ownPool } = options
  if (ownPool !== undefined) fastify.addHook('onClose', async () => void ownPool.off('error', lost))
}

/** The pool's own way to connect; its options are handed on as they are, since the password is hidden in them. */
function listeningClient(pool: Pool, notify: true | { connectionString: string }): () => Client {
  const { Client: PoolClient } = pool as unknown as { Client: new (config: ClientConfig) => Client }
  return () => new PoolClient(notify === true ? pool.options : notify)
}

/** The relay: sends what is due to the transport. */
export const relay = fp(relayPlugin, {
  fastify: '5.x',
  name: '@steadfast/relay',
  dependencies: ['@fastify/postgres'],
  decorators: { fastify: ['transport'] }
})
export default relay
