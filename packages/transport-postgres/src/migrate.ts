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
  if ((await readVersion(text => db.rows(text), db.schema)) === LATEST) return
  await db.withClient(
    async client => {
      const rows = async <Row>(text: string, values: unknown[] = []) => (await client.query(text, values)).rows as Row[]
      await rows('begin')
      try {
        await rows('select pg_advisory_xact_lock(hashtext($1))', [`steadfast log ${db.schema}`])
        const version = await readVersion(rows, db.schema)
        if (version === 0) await client.query(bookkeeping(db.schema))
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

async function readVersion(rows: <Row>(text: string) => Promise<Row[]>, schema: string): Promise<number> {
  const [found] = await rows<{ found: boolean }>(`select to_regclass('${schema}.migration') is not null as found`)
  if (!found?.found) return 0
  const [row] = await rows<{ version: number }>(`select coalesce(max(version), 0) as version from ${schema}.migration`)
  const version = row?.version ?? 0
  if (version > LATEST) throw new SchemaNewer(schema, version, LATEST)
  return version
}

// Looked for first: "if not exists" asks for the right to create even when there is nothing to do.
function bookkeeping(schema: string): string {
  return `
do $$ begin
  if to_regnamespace('${schema}') is null then create schema ${schema}; end if;
end $$;
create table ${schema}.migration (
  version integer primary key,
  name text not null,
  applied_at timestamptz not null default clock_timestamp()
);`
}
