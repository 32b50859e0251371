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
import type { Peer } from './ask-peer.ts'
import { type ActionMessage, actionChannel } from './channels.ts'
import { TooSlow } from './errors.ts'
import type { Present } from './show-data.ts'

/** A Fastify server whose routes take their types from TypeBox schemas. */
export type Server = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

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
