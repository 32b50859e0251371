import { OWN_TYPES } from '@steadfast/events/postgres'
import type { Queryable } from './db.ts'
import { guardPool } from './guard-pool.ts'

/** What {@link boundedQueries} asks of a pool: a `pg.Pool` is one. */
export interface BoundedPool {
  connect(): Promise<BoundedClient>
}

interface BoundedClient {
  query(query: BoundedQuery): Promise<{ rows: unknown[] }>
  release(destroy?: boolean): void
}

interface BoundedQuery {
  text: string
  values: unknown[]
  query_timeout: number
  types: typeof OWN_TYPES
}

/** How a handle is bounded. */
export interface QueryBounds {
  /** Connections that it borrows at a time, at most. */
  clients: number
  /** For each statement, on the client's side, and for a connection, in ms. */
  timeoutMs: number
  /** The error that says that there was no connection in time. */
  silent: (timeoutMs: number) => Error
}

/**
 * A handle for Steadfast's own statements on the pool that borrows at most `clients` at a time, bounds every statement in time, and gives no client
 * back to the pool after an error: after a failover it may be a read-only one.
 */
export function boundedQueries(pool: BoundedPool, { clients, timeoutMs, silent }: QueryBounds): Queryable {
  guardPool(pool)
  let free = clients
  const waiting: (() => void)[] = []

  async function run(text: string, values: unknown[] | undefined) {
    const client = await connect(pool, timeoutMs, silent)
    // pg bounds the wait for the answer with this member of the query, which its types do not know.
    const query = { text, values: values ?? [], query_timeout: timeoutMs, types: OWN_TYPES }
    try {
      const result = await client.query(query)
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

/** A client that comes too late goes back unused. */
async function connect(
  pool: BoundedPool,
  timeoutMs: number,
  silent: (timeoutMs: number) => Error
): Promise<BoundedClient> {
  const connecting = pool.connect()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      connecting.then(
        client => client.release(),
        () => {}
      )
      reject(silent(timeoutMs))
    }, timeoutMs)
  })
  try {
    return await Promise.race([connecting, late])
  } finally {
    clearTimeout(timer)
  }
}
