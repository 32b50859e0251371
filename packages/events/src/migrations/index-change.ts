import { setTimeout as delay } from 'node:timers/promises'
import { queryRows } from '../postgres/query-rows.ts'
import type { IndexChange, MigrationClient, MigrationSet } from './types.ts'

/** The statement that makes or drops an index within a transaction, for tables that nobody uses yet. */
export const plainChange = (inSql: string, change: IndexChange): string =>
  'drop' in change
    ? `drop index if exists ${inSql}.${change.drop}`
    : `create ${change.unique ? 'unique ' : ''}index ${change.index} on ${inSql}.${change.on}`

/** The statement that makes an index. */
export const createIndex = (inSql: string, change: Extract<IndexChange, { index: string }>): string =>
  `create ${change.unique ? 'unique ' : ''}index concurrently ${change.index} on ${inSql}.${change.on}`

/** The statement that drops one, if it is there. */
export const dropIndex = (inSql: string, name: string): string => `drop index concurrently if exists ${inSql}.${name}`

const POLL_MS = 100

/**
 * Brings one index to what a step wants, from whatever an earlier attempt has left. An interrupted CREATE INDEX
 * CONCURRENTLY leaves an invalid index, or goes on by itself without its client.
 */
export async function changeIndex(client: MigrationClient, set: MigrationSet, change: IndexChange): Promise<void> {
  if ('drop' in change) return void (await client.query(dropIndex(set.inSql, change.drop)))
  // Whoever builds it still is an orphan, for only one migration runs at a time; to drop its index would wait for it, too.
  while (await isBeingBuilt(client, set, change.index)) await delay(POLL_MS)
  const state = await stateOf(client, set, change.index)
  if (state === 'valid') return
  if (state === 'invalid') await client.query(dropIndex(set.inSql, change.index))
  await client.query(createIndex(set.inSql, change))
}

async function stateOf(
  client: MigrationClient,
  set: MigrationSet,
  name: string
): Promise<'none' | 'invalid' | 'valid'> {
  const [found] = await queryRows<{ valid: boolean }>(
    client,
    `select x.indisvalid as valid from pg_catalog.pg_index x
     join pg_catalog.pg_class c on c.oid = x.indexrelid
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1 and c.relname = $2`,
    [set.schema, name]
  )
  if (found === undefined) return 'none'
  return found.valid ? 'valid' : 'invalid'
}

async function isBeingBuilt(client: MigrationClient, set: MigrationSet, name: string): Promise<boolean> {
  const { rows } = await client.query(
    `select 1 from pg_catalog.pg_stat_progress_create_index p
     join pg_catalog.pg_class c on c.oid = p.index_relid
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1 and c.relname = $2 and p.pid <> pg_catalog.pg_backend_pid()`,
    [set.schema, name]
  )
  return rows.length > 0
}
