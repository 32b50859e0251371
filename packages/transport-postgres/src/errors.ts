import { createError } from '@fastify/error'

/** An option that the schema of the options cannot judge: a reserved schema name, or no way to reach PostgreSQL. */
export const InvalidOption = createError('SF_TRANSPORT_POSTGRES_OPTION_INVALID', '%s', 500, TypeError)
/** The log's tables were made by a later version of this package, and this one cannot run on them. */
export const SchemaNewer = createError(
  'SF_TRANSPORT_POSTGRES_SCHEMA_NEWER',
  'Schema "%s" has version %d of the log; this package knows %d and cannot run on it. Update the package.',
  500
)
/** A migration of the log did not get its locks in any of its attempts; it is tried again as long as the process lives. */
export const MigrationLocked = createError(
  'SF_TRANSPORT_POSTGRES_MIGRATION_LOCKED',
  'Migration %s of the log in schema "%s" did not get its locks. %s.',
  503
)
/** The role lacks rights on the log's tables. The message has the statements that give them. */
export const RightsMissing = createError(
  'SF_TRANSPORT_POSTGRES_RIGHTS_MISSING',
  'Role %s lacks rights on the log in schema "%s":\n%s',
  503
)
/** Row-level security is in force for the role on tables of the log: messages would be missing to nobody's notice. */
export const RowsHidden = createError(
  'SF_TRANSPORT_POSTGRES_ROWS_HIDDEN',
  'Row-level security on %s is in force for role %s: give the role "bypassrls", or disable it there',
  503
)
/** The transport was closed. */
export const Closed = createError('SF_TRANSPORT_POSTGRES_CLOSED', 'The transport is closed', 503)
/** PostgreSQL did not answer in time. */
export const TimedOut = createError('SF_TRANSPORT_POSTGRES_TIMEOUT', 'PostgreSQL did not answer within %d ms', 503)
/** The caller's signal was aborted. */
export const Aborted = createError('SF_TRANSPORT_POSTGRES_ABORTED', 'Aborted by the caller: %s', 503)
/** A message over `maxBytes`. */
export const TooLarge = createError(
  'SF_TRANSPORT_POSTGRES_TOO_LARGE',
  'The message has %d bytes; the limit (maxBytes) is %d',
  413
)
/** A key or topic with a NUL character, which PostgreSQL cannot hold. */
export const Unstorable = createError('SF_TRANSPORT_POSTGRES_UNSTORABLE', 'PostgreSQL cannot hold a NUL in %s', 422)
/** The message was to go only to a topic that exists, and this one does not. Nothing was created. */
export const NoTopic = createError('SF_TRANSPORT_POSTGRES_NO_TOPIC', 'Topic %s does not exist', 503)
/** Not attempted, because an earlier message of the same key was not stored. */
export const Behind = createError(
  'SF_TRANSPORT_POSTGRES_BEHIND',
  'Not attempted: an earlier message of key %s was not stored',
  503
)
/** `rewind` without a membership. Nothing was moved. */
export const NotMember = createError(
  'SF_TRANSPORT_POSTGRES_NOT_MEMBER',
  'Not a member of group %s now: PostgreSQL is away',
  503
)
