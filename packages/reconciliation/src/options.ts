import { durationOption, functionOption, InvalidOptions, parseOptions } from '@steadfast/events'
import { poolOptions } from '@steadfast/events/postgres'
import type { Pool } from 'pg'
import { type Static, Type } from 'typebox'
import type { Peer, Present } from './context.ts'
import type { Authorizer } from './guard.ts'

export const OWNER = '@steadfast/reconciliation'

/** Options of reconciliation. Durations in ms. The prefix of the routes is Fastify's own `prefix`. */
export interface ReconciliationOptions {
  /** Who may do what. Without it every route answers 403. */
  authorize?: Authorizer
  /** Makes of data what a person may see of it. Default: all. */
  present?: Present
  /** This service's source. Default: the outbox's. */
  source?: string
  /** The consumer whose inbox is meant where a request names none. Default: the source. */
  consumer?: string
  /** Schema of Steadfast's tables. Default: the outbox's, else `steadfast`. */
  schema?: string
  /** Where connections come from: a pool of node-postgres, of yours. Default: the outbox's, else `fastify.pg.pool`. */
  pool?: Pool
  /** The same, by the name under which @fastify/postgres was registered. */
  pg?: string
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

/** What {@link ReconciliationOptions} are checked by. */
export const ReconciliationOptionsSchema = Type.Object({
  authorize: Type.Optional(functionOption<Authorizer>()),
  present: Type.Optional(functionOption<Present>()),
  source: Type.Optional(Type.String({ minLength: 1 })),
  consumer: Type.Optional(Type.String({ minLength: 1 })),
  schema: Type.Optional(Type.String()),
  peers: Type.Record(Type.String(), Type.Unsafe<Peer>({}), { default: {} }),
  peerTimeoutMs: durationOption(5000),
  settleMs: durationOption(10_000, { minimum: 0 }),
  bulkLimit: Type.Integer({ minimum: 1, maximum: 100_000, default: 1000 }),
  statementTimeoutMs: durationOption(15_000),
  ...poolOptions<Pool>()
})

/** Fastify hands its own options of register on to the plugin. */
const OF_FASTIFY = ['prefix', 'logLevel', 'logSerializers']

/** @throws SF_OPTIONS_INVALID */
export function readOptions(given: ReconciliationOptions): Static<typeof ReconciliationOptionsSchema> {
  const options = parseOptions(OWNER, ReconciliationOptionsSchema, given, OF_FASTIFY)
  checkPeers(options.peers)
  return options
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
