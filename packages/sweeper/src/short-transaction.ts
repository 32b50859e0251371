import { OWN_TYPES } from '@steadfast/events/postgres'
import { type Db, guardPool, REACH_MS, storeOn } from '@steadfast/store'
import type { Pool } from 'pg'

export interface Bounds {
  lockTimeoutMs: number
  statementTimeoutMs: number
}

/**
 * Runs a verb in a transaction of its own that waits for no lock and no statement longer than its bounds, also through
 * a pooler in transaction mode. After an error the client does not go back to the pool.
 */
export async function shortTransaction<T>(
  pool: Pool,
  schema: string,
  { lockTimeoutMs, statementTimeoutMs }: Bounds,
  verb: (db: Db) => Promise<T>
): Promise<T> {
  guardPool(pool)
  const client = await pool.connect()
  // pg bounds the wait for the answer with this member of the query, which its types do not know.
  const query = (text: string, values: unknown[] = []) => {
    const bounded = { text, values, query_timeout: statementTimeoutMs + REACH_MS, types: OWN_TYPES }
    return client.query(bounded)
  }
  try {
    await query('begin isolation level read committed')
    await query(`select set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true)`, [
      `${lockTimeoutMs}ms`,
      `${statementTimeoutMs}ms`
    ])
    const result = await verb(storeOn({ query }, schema))
    await query('commit')
    client.release()
    return result
  } catch (error) {
    client.release(true)
    throw error
  }
}
