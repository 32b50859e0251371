import type { SchemaState } from './schema-state.ts'
import type { Migration, MigrationClient, MigrationSet } from './types.ts'

/** The table that says which steps were applied. */
export const bookkeeping = (inSql: string): string => `create table if not exists ${inSql}.migration (
  version integer primary key,
  name text not null,
  applied_at timestamptz not null default clock_timestamp(),
  compatible_from integer
)`

/** What the bookkeeping of earlier versions lacks. */
export const widening = (inSql: string): string =>
  `alter table ${inSql}.migration add column if not exists compatible_from integer`

/** The oldest version whose code runs after a step. */
export const compatibleFromOf = ({ version, compatibleFrom = version }: Migration): number => compatibleFrom

/**
 * Makes the schema and its bookkeeping where they are missing. Looked for first: "if not exists" asks for the right to
 * create even when there is nothing to do, and a role that owns only the schema must be able to migrate.
 */
export async function prepareBookkeeping(
  client: MigrationClient,
  set: MigrationSet,
  { bookkeeping: found }: SchemaState
): Promise<void> {
  if (found === 'complete') return
  if (found === 'without compatible_from') return void (await client.query(widening(set.inSql)))
  const { rows } = await client.query('select 1 from pg_catalog.pg_namespace where nspname = $1', [set.schema])
  if (rows.length === 0) await client.query(`create schema ${set.inSql}`)
  await client.query(bookkeeping(set.inSql))
}

/** Notes a step as applied. */
export async function noteStep(client: MigrationClient, set: MigrationSet, step: Migration): Promise<void> {
  await client.query(`insert into ${set.inSql}.migration (version, name, compatible_from) values ($1, $2, $3)`, [
    step.version,
    step.name,
    compatibleFromOf(step)
  ])
  set.onStep?.(step)
}
