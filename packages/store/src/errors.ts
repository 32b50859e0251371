import { createError } from '@fastify/error'

/** A schema or table name that is not plain: refused before it reaches SQL. */
export const InvalidIdentifier = createError(
  'SF_STORE_IDENTIFIER_INVALID',
  'Not a plain identifier for %s: %s',
  500,
  TypeError
)
/** The database holds migrations that this version does not know, and one of them locks it out. */
export const SchemaNewer = createError(
  'SF_STORE_SCHEMA_NEWER',
  'Schema "%s" is at migration %d; this version of @steadfast/store knows %d and cannot run on it. Upgrade the packages, or point them at another schema.',
  500
)
/** A migration did not get its locks in any of its attempts. It is not applied; those before it are. */
export const MigrationLocked = createError(
  'SF_STORE_MIGRATION_LOCKED',
  'Migration %s of schema "%s" did not get its locks. %s. End what holds them, or migrate at a quieter time.',
  503
)
/** The database lacks migrations that this version needs. */
export const SchemaOlder = createError(
  'SF_STORE_SCHEMA_OLDER',
  'Schema "%s" is at migration %d; this version of @steadfast/store needs %d. Run `steadfast migrate` on it.',
  500
)
/** The role lacks rights that a plugin's statements need. */
export const RightsMissing = createError(
  'SF_STORE_RIGHTS_MISSING',
  'Role %s lacks rights in schema "%s". Let the owner of the tables run:\n%s',
  500
)
/** Row-level security lets the role see, or write, less than every row. */
export const RowsHidden = createError(
  'SF_STORE_ROWS_HIDDEN',
  'Row-level security on %s lets role %s see or write only some of the rows: what it cannot see would never be sent or handled. Disable it on these tables, give the role BYPASSRLS, or make one policy for all commands with using (true).',
  500
)
/** A sequence would give numbers that its table has already. */
export const SequenceBehind = createError(
  'SF_STORE_SEQUENCE_BEHIND',
  'Sequence %s %s already: later events of a key would overtake earlier ones. Stop the services and run: %s',
  500
)
/** A setting of the role or the database under which Steadfast cannot work. */
export const SettingUnfit = createError(
  'SF_STORE_SETTING_UNFIT',
  'The setting %s of this role or database is "%s"; Steadfast needs %s. Set it for the role by ALTER ROLE.',
  500
)
/** No connection to be had, within the time allowed: pool exhausted or database away. Nothing was stored. */
export const NoConnection = createError('SF_STORE_NO_CONNECTION', 'No connection to the database: %s', 503)
/** The connection broke before COMMIT was answered. */
export const ConnectionLost = createError('SF_STORE_CONNECTION_LOST', 'The connection to the database broke: %s', 503)
/** Serialization failure (40001) or deadlock (40P01). Nothing was stored; the same may succeed later. */
export const TransactionConflict = createError(
  'SF_STORE_CONFLICT',
  'The transaction conflicted with another one (%s). Nothing was stored; try again.',
  503
)
/** COMMIT was answered by ROLLBACK. Nothing was stored. */
export const NotCommitted = createError('SF_STORE_NOT_COMMITTED', 'PostgreSQL rolled the transaction back.', 500)
