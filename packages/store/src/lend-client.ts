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
  /** Why the connection is unusable, once it is. */
  readonly lost: Error | undefined
  /** Gives the client back, once; a broken one, or one of doubtful state, is destroyed instead of pooled. */
  release(destroy?: boolean): void
}

/**
 * Takes a client from the pool and listens to its errors for as long as it is checked out, so that a dying connection
 * never becomes an uncaught exception.
 *
 * @throws SF_OUTBOX_NO_CONNECTION
 */
export async function lendClient(
  pool: TransactionPool,
  { connectTimeoutMs, onError }: { connectTimeoutMs: number; onError?: ((error: Error) => void) | undefined }
): Promise<LentClient> {
  guardPool(pool)
  const client = await connectWithin(pool, connectTimeoutMs)
  let lost: Error | undefined
  let released = false
  const listener = (error: Error) => {
    lost ??= error
    onError?.(error)
  }
  client.on('error', listener)
  return {
    [TAKES_STATEMENTS]: true,
    get lost() {
      return lost
    },
    status: () => client.getTransactionStatus?.() ?? null,
    async query(config, values) {
      try {
        return (await client.query(config, values)) as QueryResult
      } catch (error) {
        if (endsConnection(error)) lost ??= error as Error
        throw error
      }
    },
    release(destroy = false) {
      if (released) return
      released = true
      client.release(destroy || lost !== undefined)
      client.removeListener('error', listener)
    }
  }
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
