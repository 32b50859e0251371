import { TAKES_STATEMENTS } from '@steadfast/events/postgres'
import { NoConnection } from './errors.ts'
import { guardPool } from './guard-pool.ts'
import { endsConnection, retryLater } from './sql-state.ts'

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
export interface TransactionPool {
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

/** How much later than PostgreSQL itself the driver gives a statement up: only when the server is out of reach. */
export const REACH_MS = 5_000

/** How a client is lent. */
export interface LendOptions {
  connectTimeoutMs: number
  /** PostgreSQL's limit for each statement; the driver's is {@link REACH_MS} more. 0 or absent: neither has one. */
  statementTimeoutMs?: number | undefined
  onError?: ((error: Error) => void) | undefined
}

/**
 * Takes a client from the pool and listens to its errors for as long as it is checked out, so that a dying connection
 * never becomes an uncaught exception. A client that is lost goes back at once, whatever its holder does: he may be
 * waiting for another one of the same pool.
 *
 * @throws SF_OUTBOX_NO_CONNECTION
 */
export async function lendClient(pool: TransactionPool, options: LendOptions): Promise<LentClient> {
  guardPool(pool)
  const client = await connectWithin(pool, options.connectTimeoutMs)
  const bound = options.statementTimeoutMs ? options.statementTimeoutMs + REACH_MS : undefined
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
        return (await client.query(withTimeout(config, bound), values)) as QueryResult
      } catch (error) {
        if (endsConnection(error)) lose(error as Error)
        throw error
      }
    },
    release
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

async function connectWithin(pool: TransactionPool, timeoutMs: number): Promise<PoolClient> {
  const connecting = pool.connect()
  let timer: NodeJS.Timeout | undefined
  let late = false
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      late = true
      reject(new Error(`none became free within ${timeoutMs} ms`))
    }, timeoutMs)
  })
  connecting.then(
    client => late && client.release(),
    () => {}
  )
  try {
    return await Promise.race([connecting, timeout])
  } catch (error) {
    throw retryLater(new NoConnection((error as Error).message || (error as { code?: string }).code), error)
  } finally {
    clearTimeout(timer)
  }
}
