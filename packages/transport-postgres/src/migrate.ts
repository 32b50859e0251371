import {
  isUpToDate,
  type LendClient,
  type Migration,
  type MigrationSet,
  runMigrations
} from '@steadfast/events/migrations'
import type { Database } from './database.ts'
import { MigrationLocked, SchemaNewer } from './errors.ts'
import { MIGRATIONS } from './sql/migrations.ts'

const TIMEOUT_MS = 30_000

/**
 * Brings the log's tables to the version of this package, one step after the other, each in a transaction under an
 * advisory lock that ends with it. A database that is up to date, or newer and compatible with this version, is only
 * read, so a role without the right to create suffices. Only tests give other `migrations`.
 *
 * @throws SF_TRANSPORT_POSTGRES_SCHEMA_NEWER, SF_TRANSPORT_POSTGRES_MIGRATION_LOCKED
 */
export async function migrate(db: Database, migrations: readonly Migration[] = MIGRATIONS): Promise<void> {
  const set = migrationSet(db.schema, migrations)
  // Looked at with the short time that a statement has: a database that does not answer is to be known soon.
  if (await isUpToDate({ query: async (text, values) => ({ rows: await db.rows(text, values) }) }, set)) return
  const lend: LendClient = work => db.withClient(work, { timeoutMs: TIMEOUT_MS })
  await runMigrations(lend, set)
}

/** @param quoted the schema, quoted */
function migrationSet(quoted: string, migrations: readonly Migration[]): MigrationSet {
  const schema = quoted.slice(1, -1)
  return {
    schema,
    inSql: quoted,
    migrations,
    lock: { expression: 'pg_catalog.hashtext($1)', value: `steadfast log ${quoted}` },
    newer: (found, known) => new SchemaNewer(schema, found, known),
    locked: ({ version, name }, reason) => new MigrationLocked(`${version} (${name})`, schema, reason)
  }
}
