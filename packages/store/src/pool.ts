import { OWN_TYPES, TAKES_STATEMENTS } from '@steadfast/events/postgres'
import { within } from '@steadfast/events/runtime'
import { type Db, type Queryable, storeOn } from './db.ts'
import { ConnectionLost, NoConnection, NotCommitted, TransactionConflict } from './errors.ts'
import { endsConnection, sqlStateOf } from './sql-state.ts'

/** A statement as node-postgres takes it. */
export interface QueryConfig {
  text: string
  values?: readonly unknown[]
  name?: string
  rowMode?: 'array'
  types?: unknown
  /** The driver gives the statement up, and the connection with it, after so many ms. */
  query_timeout?: number
}

/** What a statement answers, in the form of node-postgres. */
export interface QueryResult<R = Record<string, unknown>> {
  rows: R[]
  rowCount: number | null
  command: string
  fields: { name: string; dataTypeID: number }[]
}

/** A client of node-postgres, as far as it is used here. */
export interface PoolClient {
  query(config: unknown, values?: unknown): Promise<unknown>
  /** 'I' idle, 'T' in a transaction, 'E' in a failed one. Since pg 8.23. */
  getTransactionStatus?(): string | null
  on(event: 'error', listener: (error: Error) => void): unknown
  removeListener(event: 'error', listener: (error: Error) => void): unknown
  release(destroy?: Error | boolean): void
}

/** A `pg.Pool`, as far as it is used here. */
export interface LendingPool {
  connect(): Promise<PoolClient>
}

/** A client that is checked out. */
export interface LentClient {
  readonly [TAKES_STATEMENTS]: true
  query(config: string | QueryConfig, values?: readonly unknown[]): Promise<QueryResult>
  status(): string | null
  /** Why the connection is unusable, once it is: it has gone back to the pool then, whoever still holds this. */
  readonly lost: Error | undefined
  /** Gives the client back, once; a broken one, or one of doubtful state, is destroyed instead of pooled. */
  release(destroy?: boolean): void
}

/** How a client is lent. */
export interface LendOptions {
  /** How long to wait for a connection. */
  connectTimeoutMs: number
  /** The driver gives a statement up after so long, and the connection with it. Absent: never. */
  queryTimeoutMs?: number | undefined
  /** Told when the connection breaks while it is checked out. */
  onError?: ((error: Error) => void) | undefined
}

/** How much later than PostgreSQL itself the driver gives a statement up: only when the server is out of reach. */
export const REACH_MS = 5_000

/**
 * Takes a client from the pool and listens to its errors for as long as it is checked out, so that a dying connection
 * never becomes an uncaught exception. A client that is lost goes back at once, whatever its holder does: he may be
 * waiting for another one of the same pool.
 *
 * @throws SF_STORE_NO_CONNECTION
 */
export async function lendClient(pool: LendingPool, options: LendOptions): Promise<LentClient> {
  guardPool(pool)
  const client = await connect(pool, options.connectTimeoutMs)
  let lost: Error | undefined
  let released = false
  const release = (destroy = false) => {
    if (released) return
    released = true
    client.release(destroy || lost !== undefined)
    client.removeListener('error', broken)
  }
  const lose = (error: Error) => {
    lost ??= error
    release()
  }
  const broken = (error: Error) => {
    lose(error)
    options.onError?.(error)
  }
  client.on('error', broken)
  return {
    [TAKES_STATEMENTS]: true,
    get lost() {
      return lost
    },
    status: () => client.getTransactionStatus?.() ?? null,
    async query(config, values) {
      if (lost !== undefined) throw Object.assign(new Error(lost.message), { cause: lost })
      try {
        return (await client.query(withTimeout(config, options.queryTimeoutMs), values)) as QueryResult
      } catch (error) {
        if (endsConnection(error)) lose(error as Error)
        throw error
      }
    },
    release
  }
}

/** A client that comes too late goes back unused. */
async function connect(pool: LendingPool, timeoutMs: number): Promise<PoolClient> {
  const late = () => new Error(`none became free within ${timeoutMs} ms`)
  try {
    return await within(pool.connect(), timeoutMs, late, client => client.release())
  } catch (error) {
    const { message, code } = error as { message?: string; code?: string }
    throw Object.assign(new NoConnection(message || code), { cause: error })
  }
}

/** The statement with a bound on the wait for its answer, unless it has one of its own. */
function withTimeout(config: string | QueryConfig, bound: number | undefined): string | QueryConfig {
  if (bound === undefined) return config
  if (typeof config === 'string') return { text: config, query_timeout: bound }
  if (config.query_timeout !== undefined) return config
  // Not spread: what a query builder gives may have its text in its prototype.
  return Object.assign(Object.create(config) as QueryConfig, { query_timeout: bound })
}

/** How a handle is bounded. */
export interface QueryBounds {
  /** Connections that it borrows at a time, at most. */
  clients: number
  /** For each statement, on the client's side, and for a connection. */
  timeoutMs: number
}

/**
 * A handle for Steadfast's own statements on the pool that borrows at most `clients` at a time, bounds every statement
 * in time, and gives no client back to the pool after an error: after a failover it may be a read-only one. Its errors
 * are those of PostgreSQL and of the driver, and SF_STORE_NO_CONNECTION.
 */
export function boundedQueries(pool: LendingPool, { clients, timeoutMs }: QueryBounds): Queryable {
  guardPool(pool)
  let free = clients
  const waiting: (() => void)[] = []

  async function run(text: string, values: unknown[] | undefined) {
    const client = await lendClient(pool, { connectTimeoutMs: timeoutMs, queryTimeoutMs: timeoutMs })
    try {
      const result = await client.query({ text, values: values ?? [], types: OWN_TYPES })
      client.release()
      return result
    } catch (error) {
      client.release(true)
      throw error
    }
  }

  return {
    async query(text, values) {
      if (free > 0) free--
      else await new Promise<void>(resolve => waiting.push(resolve))
      try {
        return await run(text, values)
      } finally {
        const next = waiting.shift()
        if (next === undefined) free++
        else next()
      }
    }
  }
}

/** How a short transaction is bounded. */
export interface TransactionBounds {
  statementTimeoutMs: number
  /** Default: the server's. */
  lockTimeoutMs?: number
  /** `read`: on one snapshot of the database, and nothing is written. Default `write`. */
  kind?: 'read' | 'write'
}

/**
 * Runs verbs in a transaction of their own that waits for no statement, and if so told for no lock, longer than its
 * bounds, also through a pooler in transaction mode. After an error the client does not go back to the pool.
 *
 * @throws SF_STORE_NO_CONNECTION, SF_STORE_CONNECTION_LOST, SF_STORE_CONFLICT, SF_STORE_NOT_COMMITTED, and PostgreSQL's
 * own errors
 */
export async function shortTransaction<T>(
  pool: LendingPool,
  schema: string,
  { statementTimeoutMs, lockTimeoutMs, kind = 'write' }: TransactionBounds,
  work: (db: Db) => Promise<T>
): Promise<T> {
  const queryTimeoutMs = statementTimeoutMs + REACH_MS
  const client = await lendClient(pool, { connectTimeoutMs: queryTimeoutMs, queryTimeoutMs })
  const settings = [`set local statement_timeout = ${Math.trunc(statementTimeoutMs)}`]
  if (lockTimeoutMs !== undefined) settings.push(`set local lock_timeout = ${Math.trunc(lockTimeoutMs)}`)
  const isolation = kind === 'read' ? 'repeatable read, read only' : 'read committed'
  try {
    await client.query(`begin isolation level ${isolation}; ${settings.join('; ')}`)
    const result = await work(storeOn(client as Queryable, schema))
    const { command } = await client.query('commit')
    if (command !== 'COMMIT') throw new NotCommitted()
    client.release()
    return result
  } catch (error) {
    client.release(true)
    throw asCoded(error, client.lost)
  }
}

function asCoded(error: unknown, lost: Error | undefined): unknown {
  const state = sqlStateOf(error)
  if (state === '40001' || state === '40P01') return Object.assign(new TransactionConflict(state), { cause: error })
  const reason = lost ?? (endsConnection(error) ? (error as Error) : undefined)
  return reason === undefined ? error : Object.assign(new ConnectionLost(reason.message), { cause: reason })
}

/** The role's `statement_timeout` in ms; 0: none. */
export async function statementTimeoutOf({ rows }: Db): Promise<number> {
  const [row] = await rows<{ ms: number }>(
    `select s.setting::integer as ms from pg_catalog.pg_settings s where s.name = 'statement_timeout'`
  )
  return row?.ms ?? 0
}

interface Emitter {
  on?(event: 'acquire', listener: (client: { on?(event: 'error', listener: () => void): unknown }) => void): unknown
}

const guarded = new WeakSet<object>()
const clients = new WeakSet<object>()

/**
 * A connection that breaks must not end the process. node-postgres emits 'error' on a client, and the pool takes its
 * own listener away before whoever asked for the client can add one: a connection that becomes ready and is closed by
 * the server in the same packet fails where nobody listens. From the first call on, every client of a `pg.Pool` has a
 * listener for as long as it lives; the statement under way, or the next one, fails all the same.
 */
export function guardPool(pool: object): void {
  if (guarded.has(pool)) return
  guarded.add(pool)
  ;(pool as Emitter).on?.('acquire', client => {
    if (clients.has(client)) return
    clients.add(client)
    client.on?.('error', ignore)
  })
}

function ignore() {}

interface WatchablePool {
  on(event: 'error', listener: (error: Error) => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
}

const watches = new WeakMap<object, { users: number; listener: (error: Error) => void }>()

/**
 * Logs an idle connection of the pool that was lost, once, however many plugins work with it; without a listener it would
 * end the process. The error has the whole client with it, so only its message is logged.
 *
 * @returns ends that for this user of the pool
 */
export function watchPool(pool: WatchablePool, log: { warn(about: object, message: string): void }): () => void {
  guardPool(pool)
  const known = watches.get(pool)
  const watch = known ?? {
    users: 0,
    listener: ({ message }: Error) => log.warn({ reason: message }, 'idle database connection lost')
  }
  if (known === undefined) {
    watches.set(pool, watch)
    pool.on('error', watch.listener)
  }
  watch.users++
  return () => {
    if (--watch.users > 0) return
    watches.delete(pool)
    pool.off('error', watch.listener)
  }
}
