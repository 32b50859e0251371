import { checkKey, parseOptions, warnOfTopics } from '@steadfast/events'
import type {} from '@steadfast/events/fastify'
import { findPool } from '@steadfast/events/postgres'
import type {} from '@steadfast/outbox'
import { requireSchema } from '@steadfast/store'
import { boundedQueries, DEFAULT_SCHEMA, storeOn, watchPool } from '@steadfast/store/internal'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Client, ClientConfig, Pool } from 'pg'
import { createAnnouncer } from './announce.ts'
import { createRelay, type Relay } from './create-relay.ts'
import { type RelayOptions, RelayOptionsSchema } from './options.ts'

export type { Relay, Tally } from './create-relay.ts'
export * as errors from './errors.ts'
export type { RelayOptions } from './options.ts'

declare module 'fastify' {
  interface FastifyInstance {
    relay: Relay
  }
}

async function relayPlugin(fastify: FastifyInstance, given: RelayOptions): Promise<void> {
  const options = parseOptions('@steadfast/relay', RelayOptionsSchema, given)
  if (options.sign !== undefined) checkKey('sign', options.sign.keyId, options.sign.key, 'private')
  const { transport } = fastify
  const outbox = fastify.hasDecorator('outbox') ? fastify.outbox : undefined
  const pool = findPool(fastify, '@steadfast/relay', options)
  const schema = options.schema ?? outbox?.schema ?? DEFAULT_SCHEMA
  const clients = Math.max(1, Math.min(2, (pool.options.max ?? 10) - 1))
  const queries = boundedQueries(pool, { clients, timeoutMs: options.queryTimeoutMs })
  const log = fastify.log.child({ name: '@steadfast/relay' })
  const db = storeOn(queries, schema)
  const closing = new AbortController()
  const relay = createRelay(db, transport, options, log)
  const announcer =
    options.notify === false || !options.schedule
      ? undefined
      : createAnnouncer({
          db,
          connect: listeningClient(pool, options.notify),
          heard: () => relay.wake(),
          log,
          heartbeatMs: options.notifyHeartbeatMs
        })
  const unwatch = watchPool(pool, log)
  fastify.decorate('relay', relay)
  const committed = () => {
    relay.wake()
    announcer?.announce()
  }
  const forget = options.schedule ? outbox?.onCommit(committed) : undefined

  fastify.addHook('onReady', async () => {
    await requireSchema(pool, schema, 'relay')
    relay.start()
    announcer?.start()
    if (outbox === undefined) return
    const needs = { sendsBytes: outbox.maxPayloadBytes }
    const topics = new Map([...outbox.contracts.values()].map(({ topic }) => [topic, needs]))
    void warnOfTopics(transport, topics, { log, signal: closing.signal })
  })
  fastify.addHook('preClose', async () => {
    closing.abort()
    forget?.()
    await Promise.all([relay.close(), announcer?.close()])
  })
  // The pool of the server keeps its listener: it ends after this plugin does, and may lose a connection until then.
  if (options.pool !== undefined) fastify.addHook('onClose', async () => unwatch())
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
  decorators: { fastify: ['transport'] }
})
export default relay
