import { queryRows } from '../postgres/query-rows.ts'
import type { MigrationClient, MigrationSet } from './types.ts'

/** What the bookkeeping of a schema says. */
export interface SchemaState {
  /** The number of the last migration applied; 0 without any. */
  version: number
  /** The oldest version whose code runs on the schema as it is. */
  compatibleFrom: number
  /** Whether the bookkeeping is there, and whether it knows `compatible_from`, which came later. */
  bookkeeping: 'none' | 'without compatible_from' | 'complete'
}

/** The version that a package needs and knows. */
export const latestOf = ({ migrations }: MigrationSet): number => migrations.at(-1)?.version ?? 0

/** Reads the state of a schema. Needs no right but to read the table `migration`. */
export async function readSchemaState(client: MigrationClient, set: MigrationSet): Promise<SchemaState> {
  // Not to_regclass: behind the lock it may still answer from what this connection remembers from before the wait.
  const columns = await queryRows<{ name: string }>(
    client,
    `select a.attname as name from pg_catalog.pg_class c
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where n.nspname = $1 and c.relname = 'migration' and c.relkind = 'r'`,
    [set.schema]
  )
  if (columns.length === 0) return { version: 0, compatibleFrom: 0, bookkeeping: 'none' }
  const complete = columns.some(({ name }) => name === 'compatible_from')
  // The steps this code does not know decide whether it runs; each must let it.
  const [found] = await queryRows<{ version: number; compatibleFrom: number }>(
    client,
    `select coalesce(max(version), 0) as version,
       coalesce(max(${complete ? 'coalesce(compatible_from, version)' : 'version'}) filter (where version > $1), 0) as "compatibleFrom"
     from ${set.inSql}.migration`,
    [latestOf(set)]
  )
  return {
    version: Number(found?.version ?? 0),
    compatibleFrom: Number(found?.compatibleFrom ?? 0),
    bookkeeping: complete ? 'complete' : 'without compatible_from'
  }
}

/**
 * Lets code run on a schema of its own version, on an older one (which is the caller's to judge), and on a newer one
 * that is compatible with it.
 *
 * @throws the set's `newer`
 */
export function checkNotNewer(set: MigrationSet, { version, compatibleFrom }: SchemaState): void {
  const known = latestOf(set)
  if (version > known && compatibleFrom > known) throw set.newer(version, known)
}

/**
 * Whether there is nothing to migrate: the schema is at the version of this code, or newer and compatible with it.
 *
 * @throws the set's `newer`
 */
export async function isUpToDate(client: MigrationClient, set: MigrationSet): Promise<boolean> {
  const state = await readSchemaState(client, set)
  checkNotNewer(set, state)
  return state.version >= latestOf(set)
}
