import pg from 'pg'
import { Aborted, Closed, TimedOut } from './errors.ts'
import type { Logger, Settings } from './options.ts'

/** Bounds of one round trip. */
export interface Limits {
  timeoutMs: number
  signal?: AbortSignal
}

/** What became of a statement. `stored` speaks of what it would have written. */
export type Attempt<Row> = { rows: Row[] } | { error: Error; stored: 'no' | 'perhaps' }

/** PostgreSQL as the statements in `sql/` see it. */
export interface Database {
  /** Quoted; stands in SQL text as it is. */
  readonly schema: string
  /** Runs one statement in a transaction of its own. Rejects when it failed or the time is over. */
  rows<Row>(text: string, values?: unknown[], timeoutMs?: number): Promise<Row[]>
  /** The same, telling apart what certainly was not stored. Never rejects. */
  attempt<Row>(text: string, values: unknown[], limits: Limits): Promise<Attempt<Row>>
  /** Several statements on one connection. A rejection of `work` destroys the connection. */
  withClient<T>(work: (client: pg.PoolClient) => Promise<T>, limits: Limits): Promise<T>
  /** Ends the pool if this package made it. */
  close(deadlineMs: number): Promise<void>
}

const ignore = () => {}

/** Opens the database: a pool of its own for a connection string, else the given one. */
export function openDatabase(settings: Settings, logger: Logger): Database {
  const own = settings.pool === undefined
  const pool =
    settings.pool ??
    new pg.Pool({ connectionString: settings.connectionString, connectionTimeoutMillis: 5000, keepAlive: true })
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  const onIdleError = (error: Error) => logger.debug({ err: error }, 'an idle connection broke')
  pool.on('error', onIdleError)
  let closed = false
  const timeoutMs = Math.min(5000, settings.leaseMs)

  async function attempt<Row>(text: string, values: unknown[], limits: Limits): Promise<Attempt<Row>> {
    let stored: 'no' | 'perhaps' = 'no'
    try {
      const { rows } = await withClient(client => {
        stored = 'perhaps'
        return client.query(text, values)
      }, limits)
      return { rows: rows as Row[] }
    } catch (error) {
      return { error: error as Error, stored: isRolledBack(error) ? 'no' : stored }
    }
  }

  async function withClient<T>(work: (client: pg.PoolClient) => Promise<T>, limits: Limits): Promise<T> {
    if (closed) throw new Closed()
    const bound = startBound(limits)
    try {
      const client = await lend(pool, bound.exceeded)
      client.on('error', ignore)
      let failure: Error | undefined
      try {
        return await Promise.race([work(client), bound.exceeded])
      } catch (error) {
        if (!isStatementError(error)) failure = error as Error
        throw error
      } finally {
        client.release(failure)
        if (failure === undefined) client.off('error', ignore)
      }
    } finally {
      bound.end()
    }
  }

  return {
    schema: `"${settings.schema}"`,
    attempt,
    withClient,
    async rows<Row>(text: string, values: unknown[] = [], limitMs = timeoutMs) {
      const result = await attempt<Row>(text, values, { timeoutMs: limitMs })
      if ('error' in result) throw result.error
      return result.rows
    },
    async close(deadlineMs) {
      if (closed) return
      closed = true
      if (own) await Promise.race([pool.end(), delay(deadlineMs)])
      else pool.off('error', onIdleError)
    }
  }
}

/** Whether the server itself said that the statement failed, and the connection goes on. */
function isStatementError(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.severity === 'ERROR'
}

// A FATAL answer (57P01) may come between the commit and its acknowledgement, so only an ERROR is proof.
const isRolledBack = isStatementError

async function lend(pool: pg.Pool, exceeded: Promise<never>): Promise<pg.PoolClient> {
  const connecting = pool.connect()
  try {
    return await Promise.race([connecting, exceeded])
  } catch (error) {
    connecting.then(client => client.release(), ignore)
    throw error
  }
}

function startBound({ timeoutMs, signal }: Limits): { exceeded: Promise<never>; end(): void } {
  let fail: (error: Error) => void = ignore
  const exceeded = new Promise<never>((_, reject) => {
    fail = reject
  })
  exceeded.catch(ignore)
  const onAbort = () => fail(new Aborted(String(signal?.reason)))
  const timer = setTimeout(() => fail(new TimedOut(timeoutMs)), timeoutMs)
  if (signal?.aborted) onAbort()
  else signal?.addEventListener('abort', onAbort, { once: true })
  return {
    exceeded,
    end() {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
  }
}

function delay(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms).unref())
}
