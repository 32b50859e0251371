import { guardPool, type Queryable } from '@steadfast/store'
import type { Pool, PoolClient } from 'pg'
import { DatabaseSilent } from './errors.ts'

/**
 * A handle on the pool that borrows at most `clients` at a time, bounds every statement in time, and gives no client
 * back to the pool after an error: after a failover it may be a read-only one.
 */
export function boundedQueries(pool: Pool, { clients, timeoutMs }: { clients: number; timeoutMs: number }): Queryable {
  guardPool(pool)
  let free = clients
  const waiting: (() => void)[] = []

  async function run(text: string, values: unknown[] | undefined) {
    const client = await connect(pool, timeoutMs)
    // pg bounds the wait for the answer with this member of the query, which its types do not know.
    const query = { text, values: values ?? [], query_timeout: timeoutMs }
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
async function connect(pool: Pool, timeoutMs: number): Promise<PoolClient> {
  const connecting = pool.connect()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      connecting.then(
        client => client.release(),
        () => {}
      )
      reject(new DatabaseSilent(timeoutMs))
    }, timeoutMs)
  })
  try {
    return await Promise.race([connecting, late])
  } finally {
    clearTimeout(timer)
  }
}
