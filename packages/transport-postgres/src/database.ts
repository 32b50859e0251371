import { OWN_TYPES } from '@steadfast/events/postgres'
import { settlesWithin } from '@steadfast/events/runtime'
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
  // The pool replaces a connection that breaks; without listeners it would end the process. One that is new may break
  // before whoever asked for it has it in hand.
  // Of a pool that others use too, they say so.
  const onIdleError = own ? (error: Error) => logger.debug({ err: error }, 'an idle connection broke') : () => {}
  const onConnect = (client: pg.PoolClient) => client.on('error', ignore)
  pool.on('error', onIdleError)
  pool.on('connect', onConnect)
  const running = new Set<{ work: Promise<unknown>; cancel(error: Error): void }>()
  let closed = false
  const timeoutMs = Math.min(5000, settings.leaseMs)

  async function attempt<Row>(text: string, values: unknown[], limits: Limits): Promise<Attempt<Row>> {
    let stored: 'no' | 'perhaps' = 'no'
    try {
      const { rows } = await withClient(client => {
        stored = 'perhaps'
        return client.query({ text, values, types: OWN_TYPES })
      }, limits)
      return { rows: rows as Row[] }
    } catch (error) {
      return { error: error as Error, stored: isStatementError(error) ? 'no' : stored }
    }
  }

  async function withClient<T>(work: (client: pg.PoolClient) => Promise<T>, limits: Limits): Promise<T> {
    if (closed) throw new Closed()
    const bound = startBound(limits)
    const entry = { work: useClient(pool, work, bound.exceeded), cancel: bound.cancel }
    running.add(entry)
    try {
      return await entry.work
    } finally {
      running.delete(entry)
      bound.end()
    }
  }

  // The pool's end() leaves those who wait for a connection waiting, so they are finished, or cancelled, before.
  async function finish(deadlineMs: number): Promise<void> {
    const settled = Promise.allSettled([...running].map(({ work }) => work))
    await settlesWithin(settled, deadlineMs)
    for (const { cancel } of running) cancel(new Closed())
    await settled
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
      await finish(deadlineMs)
      if (own) await settlesWithin(pool.end(), deadlineMs)
      else pool.off('error', onIdleError).off('connect', onConnect)
    }
  }
}

/**
 * Whether the server itself said that the statement failed, so that it is rolled back and the connection goes on. Not
 * what ends a connection (57P01 and its like): that may come between a commit and its acknowledgement. By code, because
 * "severity" is translated.
 */
function isStatementError(error: unknown): boolean {
  const { code, severity } = error as { code?: unknown; severity?: unknown }
  return typeof code === 'string' && typeof severity === 'string' && !/^(08|57P|58|XX)/.test(code)
}

async function useClient<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
  exceeded: Promise<never>
): Promise<T> {
  const client = await lend(pool, exceeded)
  client.on('error', ignore)
  let failure: Error | undefined
  try {
    return await Promise.race([work(client), exceeded])
  } catch (error) {
    if (!isStatementError(error)) failure = error as Error
    throw error
  } finally {
    client.release(failure)
    if (failure === undefined) client.off('error', ignore)
  }
}

async function lend(pool: pg.Pool, exceeded: Promise<never>): Promise<pg.PoolClient> {
  const connecting = pool.connect()
  try {
    return await Promise.race([connecting, exceeded])
  } catch (error) {
    connecting.then(client => client.release(), ignore)
    throw error
  }
}

interface Bound {
  /** Rejects when the time is over, the caller gives up, or by `cancel`. */
  exceeded: Promise<never>
  cancel(error: Error): void
  end(): void
}

function startBound({ timeoutMs, signal }: Limits): Bound {
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
    cancel: error => fail(error),
    end() {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
  }
}

function _delay(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms).unref())
}
