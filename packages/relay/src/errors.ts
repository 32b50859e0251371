import { createError } from '@fastify/error'

/** `tick()` was called after the server began to close. */
export const RelayClosed = createError('SF_RELAY_CLOSED', 'The relay is closed', 503)
