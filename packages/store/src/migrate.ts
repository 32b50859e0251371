import { checkIdentifier, DEFAULT_SCHEMA } from './db.ts'
import { SchemaNewer, SchemaOlder } from './errors.ts'
import { MIGRATIONS } from './migrations/index.ts'

/** A pool that lends one connection at a time; a `pg.Pool` is one. */
export interface ClientPool {
  connect(): Promise<{
    query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
    release(error?: Error | boolean): void
  }>
}

// 'stdf' as a number: one lock for all schemas, held for one transaction, so that it works through pgbouncer.
const LOCK = 0x73746466
const LATEST = MIGRATIONS.at(-1)?.version ?? 0

/**
 * Brings the tables to the version of this package, in one transaction under an advisory lock: processes that start
 * together wait for each other, and a second run does nothing.
 *
 * @returns the versions that were applied
 * @throws SF_STORE_SCHEMA_NEWER when the database knows migrations that this package does not
 * @throws SF_STORE_IDENTIFIER_INVALID
 */
export async function migrate(
  pool: ClientPool,
  { schema = DEFAULT_SCHEMA }: { schema?: string } = {}
): Promise<number[]> {
  checkIdentifier('schema', schema)
  const client = await pool.connect()
  let failure: Error | undefined
  try {
    await client.query('begin')
    await client.query('select pg_advisory_xact_lock($1)', [LOCK])
    await client.query(bookkeeping(schema))
    const { rows } = await client.query(`select max(version) as version from ${schema}.migration`)
    const current = Number((rows[0] as { version: number | null }).version ?? 0)
    if (current > LATEST) throw new SchemaNewer(schema, current, LATEST)
    const pending = MIGRATIONS.filter(m => m.version > current)
    for (const migration of pending) {
      await client.query(migration.sql(schema))
      await client.query(`insert into ${schema}.migration (version, name) values ($1, $2)`, [
        migration.version,
        migration.name
      ])
    }
    await client.query('commit')
    return pending.map(m => m.version)
  } catch (error) {
    failure = error as Error
    await client.query('rollback').catch(() => {})
    throw error
  } finally {
    client.release(failure)
  }
}

/** The SQL that {@link migrate} would run on an empty database, for teams that apply migrations themselves. */
export function printMigrations({
  schema = DEFAULT_SCHEMA,
  from = 0
}: {
  schema?: string
  from?: number
} = {}): string {
  checkIdentifier('schema', schema)
  const steps = MIGRATIONS.filter(m => m.version > from).map(
    m =>
      `-- ${m.version} ${m.name}\n${m.sql(schema)}\ninsert into ${schema}.migration (version, name) values (${m.version}, '${m.name}');\n`
  )
  return `begin;\n${bookkeeping(schema)};\n${steps.join('')}commit;\n`
}

/**
 * Makes sure that the tables are those of this version. Plugins call it when they start.
 *
 * @throws SF_STORE_SCHEMA_OLDER, SF_STORE_SCHEMA_NEWER
 */
export async function requireSchema(
  handle: { query(text: string): Promise<{ rows: unknown[] }> },
  schema: string = DEFAULT_SCHEMA
): Promise<void> {
  checkIdentifier('schema', schema)
  const exists = await handle.query(`select to_regclass('${schema}.migration') is not null as found`)
  let current = 0
  if ((exists.rows[0] as { found: boolean }).found) {
    const { rows } = await handle.query(`select coalesce(max(version), 0) as version from ${schema}.migration`)
    current = (rows[0] as { version: number }).version
  }
  if (current > LATEST) throw new SchemaNewer(schema, current, LATEST)
  if (current < LATEST) throw new SchemaOlder(schema, current, LATEST)
}

const bookkeeping = (schema: string) => `create schema if not exists ${schema};
create table if not exists ${schema}.migration (
  version integer primary key,
  name text not null,
  applied_at timestamptz not null default clock_timestamp()
)`
