import { queryRows } from '@steadfast/events/postgres'
import { InvalidIdentifier } from './errors.ts'

/** What every handle of PostgreSQL can do: a pool, a client, a transaction, or an adapter around a query builder. */
export interface Queryable {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[]; rowCount?: number | null }>
}

/** A handle together with the schema of Steadfast's tables. Every statement takes one first. Made by {@link storeOn}. */
export interface Db {
  /** Validated; safe to stand in SQL text as it is. */
  readonly schema: string
  rows<Row>(text: string, values?: unknown[]): Promise<Row[]>
}

/** The schema where the tables are unless the owner says otherwise. */
export const DEFAULT_SCHEMA = 'steadfast'

/**
 * An identifier that needs no quoting: small letters, digits and `_`, at most 63 of them.
 *
 * @throws SF_STORE_IDENTIFIER_INVALID
 */
export function checkIdentifier(what: string, name: string): string {
  if (typeof name !== 'string' || !/^[a-z_][a-z0-9_]{0,62}$/.test(name) || name.startsWith('pg_'))
    throw new InvalidIdentifier(what, String(name))
  return name
}

/**
 * Binds a handle to the schema of Steadfast's tables.
 *
 * @throws SF_STORE_IDENTIFIER_INVALID
 */
export function storeOn(handle: Queryable, schema: string = DEFAULT_SCHEMA): Db {
  checkIdentifier('schema', schema)
  return {
    schema,
    rows: (text, values) => queryRows(handle, text, values)
  }
}
