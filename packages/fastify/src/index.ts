import { type IdempotencyKeyOptions, idempotencyKey } from '@steadfast/idempotency-key'
import { type InboxOptions, inbox } from '@steadfast/inbox'
import { type OutboxOptions, outbox } from '@steadfast/outbox'
import { type ReconciliationOptions, reconciliation } from '@steadfast/reconciliation'
import { type RelayOptions, relay } from '@steadfast/relay'
import { migrate } from '@steadfast/store'
import { type SweeperOptions, sweeper } from '@steadfast/sweeper'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

/** Options of the outbox, and what else a service does. */
export interface SteadfastOptions extends OutboxOptions {
  /** Registers the transport, e.g. `app => app.register(kafkaTransport, { brokers })`. */
  transport: (fastify: FastifyInstance) => PromiseLike<unknown>
  /** Brings Steadfast's tables to this version before the server starts. Default false: `steadfast migrate` did. */
  migrate?: boolean
  /** Sends what is due. `false`: another process of the service does. Default on. */
  relay?: RelayOptions | false
  /** Takes up what is not answered in time, and removes what is old. `false`: another process does. Default on. */
  sweeper?: SweeperOptions | false
  /** Handles events. `false`: this process handles none. Default on. */
  inbox?: InboxOptions | false
  /** The route option `idempotencyKey`. Default off. */
  idempotencyKey?: IdempotencyKeyOptions
  /** Routes for people, under `prefix`, which is `/reconciliation` by default. Default off. */
  reconciliation?: ReconciliationOptions & { prefix?: string }
}

/** Registers the plugins of Steadfast in the order that they need. */
async function steadfastPlugin(fastify: FastifyInstance, options: SteadfastOptions): Promise<void> {
  const { transport, migrate: migrates, relay: sends, sweeper: sweeps, inbox: handles, ...rest } = options
  const { idempotencyKey: keys, reconciliation: people, ...outboxOptions } = rest
  await fastify.register(outbox, outboxOptions)
  if (migrates) await migrate(fastify.outbox.pool, { schema: fastify.outbox.schema })
  await transport(fastify)
  if (sends !== false) await fastify.register(relay, sends ?? {})
  if (sweeps !== false) await fastify.register(sweeper, sweeps ?? {})
  if (handles !== false) await fastify.register(inbox, handles ?? {})
  if (keys !== undefined) await fastify.register(idempotencyKey, keys)
  if (people !== undefined) await fastify.register(reconciliation, { prefix: '/reconciliation', ...people })
}

export const steadfast = fp(steadfastPlugin, { fastify: '5.x', name: '@steadfast/fastify' })
export default steadfast
