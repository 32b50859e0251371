import { createError } from '@fastify/error'

/** A contract that `defineEvent` cannot take: the message says which member and why. */
export const InvalidContract = createError('SF_EVENTS_CONTRACT_INVALID', 'Event contract %s: %s', 500, TypeError)
/** Data that the contract's schema refuses. Nothing was stored. */
export const DataRefused = createError('SF_EVENTS_DATA_REFUSED', 'Data of %s refused by its contract: %s', 500)
/** A payload that PostgreSQL cannot hold (`\u0000`, half a surrogate pair), or that is not JSON. Nothing was stored. */
export const PayloadInvalid = createError('SF_EVENTS_PAYLOAD_INVALID', 'Payload of %s: %s', 500)
/** A payload over `maxPayloadBytes`. Nothing was stored. */
export const PayloadTooLarge = createError(
  'SF_EVENTS_PAYLOAD_TOO_LARGE',
  'Payload of %s has %d bytes; the limit is %d',
  500
)
/** A header name or value, or the id of a cause, that cannot travel. Nothing was stored. */
export const HeaderInvalid = createError('SF_EVENTS_HEADER_INVALID', 'Header %s: %s', 500)
/** A rewind to what is neither `'beginning'` nor a valid Date. Nothing was moved. */
export const RewindInvalid = createError('SF_EVENTS_REWIND_INVALID', 'Cannot rewind to %s', 400, TypeError)
/** A delivery that is no CloudEvents 1.0 message, in binary mode or in structured mode as JSON. */
export const Undecodable = createError('SF_EVENTS_UNDECODABLE', 'Not a CloudEvents 1.0 message: %s', 400)
/** A delivery whose signature is absent or wrong, or by a key that is not its source's. */
export const BadSignature = createError('SF_EVENTS_SIGNATURE_INVALID', 'The signature is not accepted: %s', 403)
/** A key that nothing can be signed, or verified, with. */
export const SigningKeyInvalid = createError('SF_EVENTS_KEY_INVALID', 'Option "%s": %s', 500, TypeError)
