import { createError } from '@fastify/error'

/** `tick()` was called after the server began to close. */
export const RelayClosed = createError('SF_RELAY_CLOSED', 'The relay is closed', 503)
/** The database did not answer a statement of the relay in time. */
export const DatabaseSilent = createError('SF_RELAY_DATABASE_SILENT', 'No answer from the database within %d ms', 503)
