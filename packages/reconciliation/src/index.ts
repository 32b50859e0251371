import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import { InvalidOptions } from '@steadfast/events'
import { findPool } from '@steadfast/events/postgres'
import type {} from '@steadfast/inbox'
import type {} from '@steadfast/outbox'
import type {} from '@steadfast/relay'
import { requireSchema } from '@steadfast/store'
import { checkIdentifier, DEFAULT_SCHEMA, watchPool } from '@steadfast/store/internal'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Pool } from 'pg'
import { createContext } from './context.ts'
import { guard } from './guard.ts'
import { OWNER, type ReconciliationOptions, readOptions } from './options.ts'
import { createRefusals } from './refusals.ts'
import { bulkRoutes } from './routes/bulk.ts'
import { erasureRoutes } from './routes/erasures.ts'
import { actOnEvents, readEvents } from './routes/events.ts'
import { actOnInbox, readInbox } from './routes/inbox.ts'
import { compareRoutes } from './routes/ledger.ts'
import { auditRoutes, replayRoutes } from './routes/replays.ts'

export type { ActionMessage, BulkStepMessage, RefusedMessage } from './channels.ts'
export type { Peer, Present, Presented } from './context.ts'
export * as errors from './errors.ts'
export type { Authorizer, Right } from './guard.ts'
export type { ReconciliationOptions } from './options.ts'

async function reconciliationPlugin(fastify: FastifyInstance, given: ReconciliationOptions): Promise<void> {
  const options = readOptions(given)
  const outbox = fastify.hasDecorator('outbox') ? fastify.outbox : undefined
  const source = options.source ?? outbox?.source
  if (source === undefined)
    throw new InvalidOptions(OWNER, 'option "source" is needed where @steadfast/outbox is not registered before')
  const schema = checkIdentifier('schema', options.schema ?? outbox?.schema ?? DEFAULT_SCHEMA)
  const pool = findPool<Pool>(fastify, OWNER, options)
  const refusals = createRefusals()
  const context = createContext(
    pool,
    { ...options, source, schema, consumer: options.consumer ?? source },
    {
      // Registered after this plugin, perhaps.
      wake: () => fastify.hasDecorator('relay') && fastify.relay.wake(),
      lag: () => (fastify.hasDecorator('inbox') ? fastify.inbox.lag() : undefined),
      refusedAttempts: refusals.count
    }
  )
  // Stays on for good: pool.end() resolves before its sockets are closed, and one that breaks then would be uncaught.
  watchPool(pool, fastify.log)
  fastify.addHook('onReady', () => requireSchema(pool, schema, 'reconciliation'))

  // Fastify's own compiler would silently drop what a schema does not know: in a bulk filter that means "everything".
  const server = fastify.withTypeProvider<TypeBoxTypeProvider>().setValidatorCompiler(TypeBoxValidatorCompiler)
  guard(fastify, options.authorize, refusals)
  readEvents(server, context)
  actOnEvents(server, context)
  readInbox(server, context)
  actOnInbox(server, context)
  bulkRoutes(server, context)
  compareRoutes(server, context)
  replayRoutes(server, context)
  auditRoutes(server, context)
  erasureRoutes(server, context)
}

export const reconciliation = fp(reconciliationPlugin, {
  fastify: '5.x',
  name: OWNER,
  // Its own scope, so that `prefix` counts and its hooks touch no other route.
  encapsulate: true
})
export default reconciliation
