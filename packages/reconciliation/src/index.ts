import type {} from '@fastify/postgres'
import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import { InvalidOptions, parseOptions } from '@steadfast/events'
import { checkIdentifier, DEFAULT_SCHEMA, requireSchema } from '@steadfast/store'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Type } from 'typebox'
import type { Peer } from './ask-peer.ts'
import { createContext } from './context.ts'
import { type Authorizer, guard } from './guard.ts'
import { bulkRoutes } from './routes/bulk.ts'
import { actOnEvents, readEvents } from './routes/events.ts'
import { actOnInbox, readInbox } from './routes/inbox.ts'
import { compareRoutes } from './routes/ledger.ts'
import { auditRoutes, replayRoutes } from './routes/replays.ts'

export type { Peer } from './ask-peer.ts'
export type { ActionMessage, BulkStepMessage } from './channels.ts'
export * as errors from './errors.ts'
export type { Authorizer, Right } from './guard.ts'

const OWNER = '@steadfast/reconciliation'

/** Options of reconciliation. Durations in ms. The prefix of the routes is Fastify's own `prefix`. */
export interface ReconciliationOptions {
  /** Who may do what. Without it every route answers 403. */
  authorize?: Authorizer
  /** This service's source. Default: the outbox's. */
  source?: string
  /** The consumer whose inbox is meant where a request names none. Default: the source. */
  consumer?: string
  /** Schema of Steadfast's tables. Default: the outbox's, else `steadfast`. */
  schema?: string
  /** Services whose reconciliation routes this one may ask, by their source. */
  peers?: Record<string, Peer>
  /** The longest question to a peer. Default 5000. */
  peerTimeoutMs?: number
  /** For so long after a deadline `compare` leaves an event to the sweeper. Default 10,000. */
  settleMs?: number
  /** The most that one bulk request does. Default 1000. */
  bulkLimit?: number
  /** The longest question to the database. Default 15,000. */
  statementTimeoutMs?: number
}

const ms = (fallback: number, minimum = 1) => Type.Integer({ minimum, maximum: 2 ** 31 - 1, default: fallback })
const Options = Type.Object({
  authorize: Type.Optional(Type.Unsafe<Authorizer>({})),
  source: Type.Optional(Type.String({ minLength: 1 })),
  consumer: Type.Optional(Type.String({ minLength: 1 })),
  schema: Type.Optional(Type.String()),
  peers: Type.Record(Type.String(), Type.Unsafe<Peer>({}), { default: {} }),
  peerTimeoutMs: ms(5000),
  settleMs: ms(10_000, 0),
  bulkLimit: Type.Integer({ minimum: 1, maximum: 100_000, default: 1000 }),
  statementTimeoutMs: ms(15_000)
})

async function reconciliationPlugin(fastify: FastifyInstance, given: ReconciliationOptions): Promise<void> {
  // Fastify hands its own options of register on to the plugin.
  const { prefix: _, logLevel: __, logSerializers: ___, ...own } = given as Record<string, unknown>
  const options = parseOptions(OWNER, Options, own)
  const { outbox, relay } = fastify as { outbox?: { source: string; schema: string }; relay?: { wake(): void } }
  const { authorize, peers } = options
  if (authorize !== undefined && typeof authorize !== 'function')
    throw new InvalidOptions(OWNER, 'option "authorize" must be a function')
  checkPeers(peers)
  const source = options.source ?? outbox?.source
  if (source === undefined)
    throw new InvalidOptions(OWNER, 'option "source" is needed where @steadfast/outbox is not registered before')
  const schema = checkIdentifier('schema', options.schema ?? outbox?.schema ?? DEFAULT_SCHEMA)
  const { pool } = fastify.pg
  const context = createContext(pool, { ...options, source, schema, consumer: options.consumer ?? source }, () =>
    relay?.wake()
  )
  // Stays on for good: pool.end() resolves before its sockets are closed, and one that breaks then would be uncaught.
  pool.on('error', ({ message }) => fastify.log.debug({ reason: message }, 'an idle connection was lost'))
  fastify.addHook('onReady', () => requireSchema(pool, schema))

  // Fastify's own compiler would silently drop what a schema does not know: in a bulk filter that means "everything".
  const server = fastify.withTypeProvider<TypeBoxTypeProvider>().setValidatorCompiler(TypeBoxValidatorCompiler)
  guard(fastify, authorize)
  readEvents(server, context)
  actOnEvents(server, context)
  readInbox(server, context)
  actOnInbox(server, context)
  bulkRoutes(server, context)
  compareRoutes(server, context)
  replayRoutes(server, context)
  auditRoutes(server, context)
}

function checkPeers(peers: Record<string, Peer>): void {
  for (const [name, peer] of Object.entries(peers)) {
    const { url, headers } = peer ?? {}
    if (typeof url !== 'string' || !/^https?:$/.test(URL.parse(url)?.protocol ?? ''))
      throw new InvalidOptions(OWNER, `option "peers.${name}.url" must be an http or https URL`)
    if (headers !== undefined && typeof headers !== 'function')
      throw new InvalidOptions(OWNER, `option "peers.${name}.headers" must be a function`)
  }
}

export const reconciliation = fp(reconciliationPlugin, {
  fastify: '5.x',
  name: OWNER,
  dependencies: ['@fastify/postgres'],
  // Its own scope, so that `prefix` counts and its hooks touch no other route.
  encapsulate: true
})
export default reconciliation
