import { testDatabase, until } from '@steadfast/dev-services'
import pg from 'pg'
import type { Test } from 'tap'
import { type Db, storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'

/**
 * That a verb names its schema everywhere: on a connection without a search path it works in a schema of another name,
 * and in one that does not exist it finds no table.
 */
export async function checkSchema(t: Test, verb: (db: Db) => Promise<unknown>): Promise<void> {
  const { url } = await testDatabase(t)
  const pool = new pg.Pool({ connectionString: url, options: '-c search_path=', max: 2 })
  // a client that is ending may still hear of the database being dropped
  pool.on('error', () => {})
  pool.on('connect', client => client.on('error', () => {}))
  try {
    await migrate(pool, { schema: 'elsewhere' })
    await verb(storeOn(pool, 'elsewhere'))
    await t.rejects(verb(storeOn(pool, 'nowhere')), { code: '42P01' })
  } finally {
    await pool.end()
  }
}

/** The plan of a statement with these parameters, as text, planned as it is when the relay sends it. */
export async function planOf(pool: pg.Pool, text: string, values: unknown[]): Promise<string> {
  const { rows } = await pool.query(`explain (costs off) ${text}`, values)
  return rows.map(row => row['QUERY PLAN']).join('\n')
}

/** Many events at once, in states that a busy outbox has: mostly finished, some due, some waiting for an answer. */
export async function seedMany(pool: pg.Pool, total: number, due: number): Promise<void> {
  await pool.query(
    `insert into steadfast.event (id, lane, source, type, topic, key, payload, headers, status, due, count, max_sends,
       awaits_from, confirm_within_ms, resend_backoff, deadline, correlation_id)
     select (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint - $1 + n), 12, '0') || '7000' || '8' || lpad(to_hex(n), 15, '0'))::uuid,
       n % 64, 'market', 'market.asked', 'asked', 'k' || n % 1000, '{"a":1}', '{}',
       case when n > $1 - $2 then 'NEW' when n % 10 = 0 then 'PUBLISHED' else 'CONFIRMED' end,
       n > $1 - $2, case when n > $1 - $2 then 0 else 1 end, 6, 'deploy', 120000, 2,
       case when n <= $1 - $2 then clock_timestamp() + (n % 1000 - 100) * interval '1 s' end, n
     from generate_series(1, $1::int) n`,
    [total, due]
  )
  await pool.query('analyze steadfast.event')
}

/** Resolves when some statement in this database waits for a row that another transaction holds. */
export async function somebodyWaits(pool: pg.Pool): Promise<void> {
  const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
  await until(async () => (await pool.query(waiting)).rowCount, { what: 'a statement that waits for a lock' })
}
