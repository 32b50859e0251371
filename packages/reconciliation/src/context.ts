import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { type Db, shortTransaction } from '@steadfast/store/internal'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault
} from 'fastify'
import type { Pool } from 'pg'
import { type ActionMessage, actionChannel } from './channels.ts'
import { TooSlow } from './errors.ts'

/** A Fastify server whose routes take their types from TypeBox schemas. */
export type Server = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** Another service whose reconciliation routes this one may ask. Its name is its source. */
export interface Peer {
  /** Where its reconciliation routes are, prefix included, e.g. `http://deploy:3000/reconciliation`. */
  url: string
  /** Headers of each request, e.g. credentials. Called each time. */
  headers?: () => Record<string, string>
}

/** What somebody wrote, before a person sees it. */
export interface Presented {
  /** Sent by this service, or delivered to it. */
  from: 'event' | 'inbox'
  /** The event's id. */
  id: string
  source: string
  type: string
  key: string
  /** Its data as JSON text; of a delivery as it came, which may be no JSON. */
  payload: string
}

/**
 * Makes of data what a person may see of it, e.g. with names masked. `null` hides it all; so does an error, a text more than
 * twice as long (and 10,000 characters), and whatever is no text.
 */
export type Present = (row: Presented) => string | null

/** What the routes share. */
export interface Context {
  source: string
  consumer: string
  schema: string
  peers: Readonly<Record<string, Peer>>
  peerTimeoutMs: number
  settleMs: number
  bulkLimit: number
  /** What a person may see of data; without it all. */
  present?: Present
  /** For single statements: each a transaction of its own, under the time limit. */
  db: Db
  /** Runs questions on one snapshot of the database, read only, under the time limit. */
  read<T>(ask: (db: Db) => Promise<T>): Promise<T>
  /** Runs a deed of several statements in one transaction. */
  write<T>(deed: (db: Db) => Promise<T>): Promise<T>
  /** Messages that the groups of this process's inbox have not done; undefined without an inbox. */
  lag(): Promise<bigint> | undefined
  /** How many attempts the guard has refused. */
  refusedAttempts(): number
  /** Says that a person has acted, and wakes a relay in the process. */
  acted(message: ActionMessage): void
}

/** What the plugin makes the context of. */
export interface ContextOptions extends Pick<Context, 'source' | 'consumer' | 'schema' | 'peers' | 'present'> {
  peerTimeoutMs: number
  settleMs: number
  bulkLimit: number
  statementTimeoutMs: number
}

export function createContext(
  pool: Pool,
  { statementTimeoutMs, ...options }: ContextOptions,
  { wake, ...others }: { wake(): void } & Pick<Context, 'lag' | 'refusedAttempts'>
): Context {
  const { schema } = options
  const transaction = async <T>(kind: 'read' | 'write', work: (db: Db) => Promise<T>): Promise<T> => {
    try {
      return await shortTransaction(pool, schema, { statementTimeoutMs, kind }, work)
    } catch (error) {
      throw (error as { code?: unknown }).code === '57014' ? new TooSlow(statementTimeoutMs) : error
    }
  }
  return {
    ...options,
    db: { schema, rows: (text, values) => transaction('write', db => db.rows(text, values)) },
    read: ask => transaction('read', ask),
    write: deed => transaction('write', deed),
    ...others,
    acted(message) {
      if (actionChannel.hasSubscribers) actionChannel.publish(message)
      wake()
    }
  }
}
