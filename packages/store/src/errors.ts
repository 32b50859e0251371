import { createError } from '@fastify/error'

/** A schema or table name that is not plain: refused before it reaches SQL. */
export const InvalidIdentifier = createError(
  'SF_STORE_IDENTIFIER_INVALID',
  'Not a plain identifier for %s: %s',
  500,
  TypeError
)
/** The database holds migrations that this version does not know. */
export const SchemaNewer = createError(
  'SF_STORE_SCHEMA_NEWER',
  'Schema "%s" is at migration %d; this version of @steadfast/store knows %d. Upgrade the packages, or point them at another schema.',
  500
)
/** The database lacks migrations that this version needs. */
export const SchemaOlder = createError(
  'SF_STORE_SCHEMA_OLDER',
  'Schema "%s" is at migration %d; this version of @steadfast/store needs %d. Run `steadfast migrate` on it.',
  500
)
