import { createError } from '@fastify/error'

/** The route requires the header `Idempotency-Key` and the request has none. */
export const KeyMissing = createError(
  'SF_IDEMPOTENCY_KEY_MISSING',
  'This route requires the header Idempotency-Key',
  400
)
/** The header is no single key of 1 to 255 printable characters. */
export const KeyInvalid = createError(
  'SF_IDEMPOTENCY_KEY_INVALID',
  'The header Idempotency-Key must be one key of 1 to 255 printable ASCII characters',
  400
)
/** The key was used for a request with another address or body. */
export const KeyReused = createError(
  'SF_IDEMPOTENCY_KEY_REUSED',
  'This Idempotency-Key was used for another request',
  422
)
/** The first request with this key is still being handled. */
export const KeyInProgress = createError(
  'SF_IDEMPOTENCY_KEY_IN_PROGRESS',
  'The first request with this Idempotency-Key is still being handled; try again',
  409
)
/** The body had not been read, or not where this plugin could see it, when the handler's turn came: nothing was done. */
export const BodyUnseen = createError(
  'SF_IDEMPOTENCY_KEY_BODY_UNSEEN',
  'This route reads such a body in its handler, as a stream, and cannot tell a repetition of it: send it without an Idempotency-Key',
  415
)
/** The option `principal` gave no text, or an empty one: nothing was done. */
export const PrincipalInvalid = createError(
  'SF_IDEMPOTENCY_KEY_PRINCIPAL_INVALID',
  'The option "principal" of @steadfast/idempotency-key must give a text that is not empty, or a promise of one',
  500
)
/** The handler set a header that no other request may be sent, e.g. a cookie: rolled back. */
export const HeaderRefused = createError(
  'SF_IDEMPOTENCY_KEY_HEADER_REFUSED',
  'The answer of a route with an Idempotency-Key cannot be stored with the header "%s", nor be repeated without it',
  500
)
/** The handler went back to a savepoint from before the key was taken: rolled back. */
export const KeyUndone = createError(
  'SF_IDEMPOTENCY_KEY_UNDONE',
  'The Idempotency-Key was undone by ROLLBACK TO a savepoint that was set before the handler',
  500
)
/** The answer is a stream: it cannot be stored, so the request was rolled back. */
export const AnswerIsStream = createError(
  'SF_IDEMPOTENCY_KEY_STREAM',
  'The answer of a route with an Idempotency-Key must be text, bytes or JSON, not a stream',
  500
)
/** A route with `idempotencyKey` lacks `transaction`. */
export const NeedsTransaction = createError(
  'SF_IDEMPOTENCY_KEY_NEEDS_TRANSACTION',
  'Route %s %s has "idempotencyKey" and needs "transaction: true" as well',
  500
)
