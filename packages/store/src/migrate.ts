import { migrationChannel } from './channels.ts'
import { checkIdentifier, DEFAULT_SCHEMA } from './db.ts'
import { SchemaNewer, SchemaOlder } from './errors.ts'
import { guardPool } from './guard-pool.ts'
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
  guardPool(pool)
  const client = await pool.connect()
  let failure: Error | undefined
  try {
    await client.query('begin')
    await client.query('select pg_advisory_xact_lock($1)', [LOCK])
    const current = await prepareBookkeeping(client, schema)
    if (current > LATEST) throw new SchemaNewer(schema, current, LATEST)
    const pending = MIGRATIONS.filter(m => m.version > current)
    for (const { version, name, sql } of pending) {
      await client.query(sql(schema))
      await client.query(`insert into ${schema}.migration (version, name) values ($1, $2)`, [version, name])
      if (migrationChannel.hasSubscribers) migrationChannel.publish({ schema, version, name })
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

/**
 * The SQL that {@link migrate} would run, for teams that apply migrations themselves. `from`: the version the database
 * is at, default 0 (empty).
 */
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
  const start = from === 0 ? `create schema if not exists ${schema};\n${bookkeeping(schema)};\n` : ''
  return `begin;\n${start}${steps.join('')}commit;\n`
}

/**
 * Makes sure that the tables are those of this version. Plugins call it when they start.
 *
 * @throws SF_STORE_SCHEMA_OLDER, SF_STORE_SCHEMA_NEWER
 */
export async function requireSchema(handle: Queries, schema: string = DEFAULT_SCHEMA): Promise<void> {
  const current = await schemaVersion(handle, schema)
  if (current > LATEST) throw new SchemaNewer(schema, current, LATEST)
  if (current < LATEST) throw new SchemaOlder(schema, current, LATEST)
}

/** The version this package needs. */
export const LATEST_VERSION = LATEST

/**
 * The number of the last migration applied; 0 when the schema has none.
 *
 * @throws SF_STORE_IDENTIFIER_INVALID
 */
export async function schemaVersion(handle: Queries, schema: string = DEFAULT_SCHEMA): Promise<number> {
  checkIdentifier('schema', schema)
  const exists = await handle.query(`select to_regclass('${schema}.migration') is not null as found`)
  if (!(exists.rows[0] as { found: boolean }).found) return 0
  const { rows } = await handle.query(`select coalesce(max(version), 0) as version from ${schema}.migration`)
  return Number((rows[0] as { version: number }).version)
}

// CREATE SCHEMA IF NOT EXISTS demands the right to create schemas even where the schema is there; a role that owns
// only the schema must be able to migrate, and one that may only read must find that there is nothing to do.
async function prepareBookkeeping(client: Queries, schema: string): Promise<number> {
  const { rows } = await client.query(`select to_regnamespace('${schema}') is not null as found`)
  if (!(rows[0] as { found: boolean }).found) await client.query(`create schema ${schema}`)
  const current = await schemaVersion(client, schema)
  if (current === 0) await client.query(bookkeeping(schema))
  return current
}

interface Queries {
  query(text: string): Promise<{ rows: unknown[] }>
}

const bookkeeping = (schema: string) => `create table if not exists ${schema}.migration (
  version integer primary key,
  name text not null,
  applied_at timestamptz not null default clock_timestamp()
)`
