import { createError } from '@fastify/error'

/** Rows that deduplicate would be removed while what they guard against can still arrive. */
export const RetentionInvalid = createError('SF_SWEEPER_RETENTION_INVALID', 'retention: %s', 500, TypeError)
/** `tick()` was called after the server began to close. */
export const SweeperClosed = createError('SF_SWEEPER_CLOSED', 'The sweeper is closed', 503)
