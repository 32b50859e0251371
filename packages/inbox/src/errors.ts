import { createError } from '@fastify/error'

/** `fastify.transport` or `fastify.outbox` is absent: register them before the inbox. */
export const MissingPlugin = createError(
  'SF_INBOX_PLUGIN_MISSING',
  '@steadfast/inbox needs `fastify.%s`: register %s before it',
  500
)
/** A second handler for the same group and type. */
export const DuplicateHandler = createError(
  'SF_INBOX_DUPLICATE_HANDLER',
  'Group "%s" has a handler for %s already',
  500
)
/** A group name that cannot stand in a route and in a broker. */
export const InvalidGroup = createError('SF_INBOX_GROUP_INVALID', 'Not a name for a consumer group: %s', 500, TypeError)
/** `onUnanswered` of what is no request of this service. */
export const NoRequest = createError('SF_INBOX_NO_REQUEST', '%s is no request of this service: %s', 500)
/** Bytes that are no event: kept as they came, REFUSED. */
export const Undecodable = createError('SF_INBOX_UNDECODABLE', 'Not an event: %s', 400)
/** A number that a number of JavaScript cannot hold exactly: never rounded, REFUSED. */
export const NumberInexact = createError(
  'SF_INBOX_NUMBER_INEXACT',
  'The number %s would be rounded: see the option bigIntegers',
  400
)
/** An event of a type that no handler and no `ignoreEvents` declares: left for a process that does, REFUSED when none came. */
export const UnknownType = createError(
  'SF_INBOX_UNKNOWN_TYPE',
  'No handler of this service takes %s, and none ignores it',
  404
)
/** An event whose `dataVersion` is newer than the contract's: left for a process that knows it, REFUSED when none came. */
export const NewerVersion = createError(
  'SF_INBOX_NEWER_VERSION',
  'Version %s of the data of %s is newer than the contract of this service, %s',
  422
)
/** A second, different answer to an event that another one has confirmed. Alarm; the handler does not run. */
export const ConflictingAnswer = createError(
  'SF_INBOX_CONFLICTING_ANSWER',
  'Event %s is confirmed by another answer already',
  409
)
/** An answer to an event that an operator has resolved. Alarm; the handler does not run. */
export const LateAnswer = createError('SF_INBOX_LATE_ANSWER', 'Event %s was resolved before its answer came', 409)
/** An answer to an event that this service does not know. Alarm; the handler does not run. */
export const OrphanAnswer = createError('SF_INBOX_ORPHAN_ANSWER', 'No event %s in this outbox', 409)
/** An event on another topic than its contract's. Alarm; the handler does not run, and nobody is told. */
export const WrongTopic = createError('SF_INBOX_WRONG_TOPIC', '%s on %s, as from %s: that is not its topic', 403)
/** An event from a source that its contract does not allow, or whose answer is not awaited. Alarm; as above. */
export const ForeignSource = createError('SF_INBOX_FOREIGN_SOURCE', '%s on %s is not to be sent by %s', 403)
/** The id of another event of the same source, with another type or topic. Alarm; the handler does not run, nobody is told. */
export const IdReused = createError(
  'SF_INBOX_ID_REUSED',
  'Event %s of %s is of another type or topic; this one is %s',
  409
)
/** A signal about an event that does not await it, or not from its source. Alarm; it changes nothing. */
export const UnaskedSignal = createError('SF_INBOX_UNASKED_SIGNAL', '%s from %s: event %s does not await it', 403)
/** The answered event changed hands while the handler ran; the delivery runs again. */
export const AnswerRaced = createError('SF_INBOX_ANSWER_RACED', 'Event %s changed while its answer was handled', 503)
/** The handler answered below 400, but its transaction did not commit. A failure. */
export const NotCommitted = createError(
  'SF_INBOX_NOT_COMMITTED',
  'The handler answered %d, but nothing was committed',
  500
)
/** The handler answered 3xx, which says nothing about an event. A failure. */
export const NoRedirect = createError('SF_INBOX_REDIRECTED', 'A handler of events cannot answer %d', 500)
/** The handler took the reply away (`hijack`) or never gave one. A failure. */
export const NoAnswer = createError('SF_INBOX_NO_ANSWER', 'The handler gave no answer within %d ms', 500)
/** A hook of the server ended a delivery before its handler. The group pauses; nothing is counted. */
export const NotReached = createError('SF_INBOX_NOT_REACHED', '%s before the handler, POST %s: %s', 503)
/** The option `open` failed, or gave what is no JSON. A failure. */
export const NotOpened = createError('SF_INBOX_NOT_OPENED', 'The option "open" gave no data of %s: %s', 500)
/** Data that do not fit the contract of their type: a verdict, REFUSED. */
export const DataRefused = createError('SF_INBOX_DATA_REFUSED', 'Data of %s refused by its contract: %s', 400)
/** PostgreSQL cannot store the delivery as it came: REFUSED, with a hash and the size in place of its body. */
export const Unstorable = createError('SF_INBOX_UNSTORABLE', 'PostgreSQL cannot store it as it came: %s', 422)
/** In the row of a delivery that was set aside without being run, because many of its type fail. */
export const TypeSlow = createError('SF_INBOX_TYPE_SLOW', 'Not run yet: many of %s fail: %s', 503)
/** The handler failed in a replay: the effect of the first run stands. */
export const RerunFailed = createError('SF_INBOX_REPLAY_FAILED', 'replay %s: %s', 500)
