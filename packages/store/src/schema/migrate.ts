import {
  checkNotNewer,
  type LendClient,
  latestOf,
  type MigrationClient,
  printMigrationSet,
  readSchemaState,
  runMigrations
} from '@steadfast/events/migrations'
import { DEFAULT_SCHEMA } from '../db.ts'
import { SchemaOlder } from '../errors.ts'
import { guardPool } from '../pool.ts'
import { findObstacles } from './find-obstacles.ts'
import { migrationSet } from './migration-set.ts'
import type { Plugin } from './rights.ts'

/** A pool that lends one connection at a time; a `pg.Pool` is one. */
export interface ClientPool {
  connect(): Promise<MigrationClient & { release(error?: Error | boolean): void }>
}

/** The version this package needs. */
export const LATEST_VERSION = latestOf(migrationSet(DEFAULT_SCHEMA))

/**
 * Brings the tables to the version of this package, one step after the other, each as a whole or not at all: processes
 * that start together take turns, and a second run does nothing. A step waits two seconds for its locks and is tried ten
 * times, so that it never stops the traffic behind it for longer. A schema that is newer and says that this version runs
 * on it is left as it is.
 *
 * @returns the versions that were applied
 * @throws SF_STORE_SCHEMA_NEWER when the database knows migrations that this package does not, and cannot run on
 * @throws SF_STORE_MIGRATION_LOCKED when others held the tables all the time; what was applied before stays
 * @throws SF_STORE_IDENTIFIER_INVALID
 */
export async function migrate(
  pool: ClientPool,
  { schema = DEFAULT_SCHEMA }: { schema?: string } = {}
): Promise<number[]> {
  const set = migrationSet(schema)
  guardPool(pool)
  return await runMigrations(lendFrom(pool), set)
}

/** Lends the clients of a pool, and has those destroyed whose work failed. */
export function lendFrom(pool: ClientPool): LendClient {
  return async work => {
    const client = await pool.connect()
    let failure: Error | undefined
    try {
      return await work(client)
    } catch (error) {
      failure = error as Error
      throw error
    } finally {
      client.release(failure)
    }
  }
}

/**
 * The SQL that {@link migrate} would run, for teams that apply migrations themselves with psql or its like: it begins and
 * ends transactions, and has statements that cannot be in one. `from`: the version the database is at, default 0 (empty).
 *
 * @throws SF_STORE_IDENTIFIER_INVALID
 */
export function printMigrations({
  schema = DEFAULT_SCHEMA,
  from = 0
}: {
  schema?: string
  from?: number
} = {}): string {
  return printMigrationSet(migrationSet(schema), from)
}

/**
 * Makes sure that this version runs on the tables as they are: they are its own, or newer and compatible with it.
 * Plugins call it when they start, by their name, and then it also looks for what would keep them from working, or lose
 * something silently: missing rights, row-level security that hides rows, a sequence behind its data, unfit settings.
 *
 * @throws SF_STORE_SCHEMA_OLDER, SF_STORE_SCHEMA_NEWER, SF_STORE_RIGHTS_MISSING, SF_STORE_ROWS_HIDDEN,
 * SF_STORE_SEQUENCE_BEHIND, SF_STORE_SETTING_UNFIT, SF_STORE_IDENTIFIER_INVALID
 */
export async function requireSchema(
  handle: MigrationClient,
  schema: string = DEFAULT_SCHEMA,
  plugin?: Plugin
): Promise<void> {
  const set = migrationSet(schema)
  // First: without rights, or behind row-level security, the version itself cannot be read.
  const [obstacle] = plugin === undefined ? [] : await findObstacles(handle, schema, [plugin])
  if (obstacle !== undefined) throw obstacle
  const state = await readSchemaState(handle, set)
  checkNotNewer(set, state)
  if (state.version < LATEST_VERSION) throw new SchemaOlder(schema, state.version, LATEST_VERSION)
}

/**
 * The number of the last migration applied; 0 when the schema has none.
 *
 * @throws SF_STORE_IDENTIFIER_INVALID
 */
export async function schemaVersion(handle: MigrationClient, schema: string = DEFAULT_SCHEMA): Promise<number> {
  return (await readSchemaState(handle, migrationSet(schema))).version
}
