import type { Database } from './database.ts'
import { SchemaNewer } from './errors.ts'
import { MIGRATIONS } from './sql/migrations.ts'

const LATEST = MIGRATIONS.at(-1)?.version ?? 0
const TIMEOUT_MS = 30_000

/**
 * Brings the log's tables to the version of this package, in one transaction under an advisory lock that ends with it.
 * A database that is up to date is only read, so a role without the right to create suffices.
 *
 * @throws SF_TRANSPORT_POSTGRES_SCHEMA_NEWER
 */
export async function migrate(db: Database): Promise<void> {
  if ((await readVersion(db.rows, db.schema)) === LATEST) return
  await db.withClient(
    async client => {
      const rows = async <Row>(text: string, values: unknown[] = []) => (await client.query(text, values)).rows as Row[]
      await rows('begin')
      try {
        await rows('select pg_advisory_xact_lock(hashtext($1))', [`steadfast log ${db.schema}`])
        const version = await readVersion(rows, db.schema)
        if (version === 0) await createSchema(rows, db.schema)
        for (const migration of MIGRATIONS.filter(m => m.version > version)) {
          await client.query(migration.sql(db.schema))
          await rows(`insert into ${db.schema}.migration (version, name) values ($1, $2)`, [
            migration.version,
            migration.name
          ])
        }
        await rows('commit')
      } catch (error) {
        await rows('rollback')
        throw error
      }
    },
    { timeoutMs: TIMEOUT_MS }
  )
}

type Rows = <Row>(text: string, values?: unknown[]) => Promise<Row[]>

async function readVersion(rows: Rows, schema: string): Promise<number> {
  // Not to_regclass: behind the lock it may still answer from what this connection remembers from before the wait.
  const [table] = await rows(
    `select 1 from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1 and c.relname = 'migration'`,
    [nameOf(schema)]
  )
  if (!table) return 0
  const [row] = await rows<{ version: number }>(`select coalesce(max(version), 0) as version from ${schema}.migration`)
  const version = row?.version ?? 0
  if (version > LATEST) throw new SchemaNewer(schema, version, LATEST)
  return version
}

// Looked for first: "if not exists" asks for the right to create even when there is nothing to do.
async function createSchema(rows: Rows, schema: string): Promise<void> {
  const [found] = await rows('select 1 from pg_catalog.pg_namespace where nspname = $1', [nameOf(schema)])
  if (!found) await rows(`create schema ${schema}`)
  await rows(`create table ${schema}.migration (
    version integer primary key,
    name text not null,
    applied_at timestamptz not null default clock_timestamp()
  )`)
}

/** @param schema quoted */
function nameOf(schema: string): string {
  return schema.slice(1, -1)
}
