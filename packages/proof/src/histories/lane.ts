import { migrate } from '@steadfast/store'
import { type Db, storeOn } from '@steadfast/store/internal'
import pg from 'pg'

/** A schema of its own, with some connections: where one history after the other runs. */
export interface Lane {
  readonly schema: string
  /** Its connections, each bound to the schema. */
  readonly connections: readonly Connection[]
  /** Empties the tables. */
  reset(): Promise<void>
  close(): Promise<void>
}

export interface Connection {
  readonly client: pg.Client
  readonly db: Db
  /** A statement without parameters that is repeated often. */
  prepared<Row>(name: string, text: string): Promise<Row[]>
}

// Deleting few rows is cheaper than truncating, until dead rows have heaped up.
const HISTORIES_PER_TRUNCATE = 50

/** Opens a lane. `tables` names those that a history fills; `extra` is the SQL of tables that only the proof has. */
export async function openLane(
  url: string,
  {
    schema,
    tables,
    connections,
    extra
  }: { schema: string; tables: readonly string[]; connections: number; extra?: (schema: string) => string }
): Promise<Lane> {
  const pool = new pg.Pool({ connectionString: url, max: 1 })
  await migrate(pool, { schema })
  if (extra !== undefined) await pool.query(extra(schema))
  for (const table of tables) await pool.query(`alter table ${schema}.${table} set (autovacuum_enabled = off)`)
  await pool.end()
  const made = await Promise.all(Array.from({ length: connections }, () => connect(url, schema)))
  let histories = 0
  return {
    schema,
    connections: made,
    async reset() {
      const [first] = made as [Connection, ...Connection[]]
      for (const { client } of made) if (client.getTransactionStatus() !== 'I') await client.query('rollback')
      const qualified = tables.map(table => `${schema}.${table}`)
      if (histories++ % HISTORIES_PER_TRUNCATE === 0) await first.client.query(`truncate ${qualified.join(', ')}`)
      else await first.client.query(qualified.map(table => `delete from ${table}`).join('; '))
    },
    async close() {
      await Promise.all(made.map(({ client }) => client.end()))
    }
  }
}

async function connect(url: string, schema: string): Promise<Connection> {
  const client = new pg.Client({ connectionString: url, application_name: 'steadfast-proof' })
  client.on('error', () => {})
  await client.connect()
  // No statement of a history may wait for ever: the driver itself would be what it waits for.
  await client.query("set synchronous_commit = off; set statement_timeout = '10s'")
  return {
    client,
    db: storeOn(client, schema),
    prepared: async <Row>(name: string, text: string) => (await client.query({ name, text })).rows as Row[]
  }
}
