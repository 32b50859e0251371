import { createError } from '@fastify/error'

/** No authorizer was given to the plugin: every route is closed. */
export const Closed = createError(
  'SF_RECONCILIATION_CLOSED',
  'Reconciliation is closed: the plugin was registered without "authorize"',
  403
)
/** The authorizer said no. */
export const Forbidden = createError('SF_RECONCILIATION_FORBIDDEN', 'Not allowed to %s', 403)
/** A browser sent the request on behalf of another site. */
export const CrossSite = createError('SF_RECONCILIATION_CROSS_SITE', 'Requests from other sites are refused', 403)
/** A route that changes something was called with another content type than application/json. */
export const NotJson = createError('SF_RECONCILIATION_NOT_JSON', 'The content type must be application/json', 415)
/** The authorizer named an actor that cannot stand in the audit, or the machine's own name: a fault of the owner's. */
export const ActorInvalid = createError(
  'SF_RECONCILIATION_ACTOR_INVALID',
  'The actor that "authorize" named is none: %s',
  500
)
/** There is no such event. */
export const EventUnknown = createError('SF_RECONCILIATION_EVENT_UNKNOWN', 'No event %s', 404)
/** The event is in no state for this action; somebody else may have been faster. */
export const EventUnfit = createError('SF_RECONCILIATION_EVENT_UNFIT', 'Event %s cannot be %s: it is %s', 409)
/** The event's payload was erased: it cannot be sent any more. */
export const EventErased = createError(
  'SF_RECONCILIATION_EVENT_ERASED',
  'Event %s cannot be %s: its payload was erased',
  409
)
/** There is no such delivery. */
export const DeliveryUnknown = createError(
  'SF_RECONCILIATION_DELIVERY_UNKNOWN',
  'No delivery of %s at consumer %s',
  404
)
/** The delivery is in no state for this action; somebody else may have been faster. */
export const DeliveryUnfit = createError('SF_RECONCILIATION_DELIVERY_UNFIT', 'Delivery %s cannot be %s: it is %s', 409)
/** The delivery's body was erased: its handler cannot run any more. */
export const DeliveryErased = createError(
  'SF_RECONCILIATION_DELIVERY_ERASED',
  'Delivery %s cannot be %s: its body was erased',
  409
)
/** A replay was asked for a consumer that has never received anything. */
export const ConsumerUnknown = createError('SF_RECONCILIATION_CONSUMER_UNKNOWN', 'No consumer %s here', 404)
/** None of this id was asked for. */
export const NoReplay = createError('SF_RECONCILIATION_NO_REPLAY', 'No replay %s', 404)
/** Answers of a replay for a group that sends none. */
export const AnswersInvalid = createError(
  'SF_RECONCILIATION_ANSWERS_INVALID',
  'Consumer %s answers nothing, only %s does: "answers" must be "none"',
  400
)
/** The inbox is not registered in this process, which therefore cannot tell how far its groups are. */
export const NoInbox = createError('SF_RECONCILIATION_NO_INBOX', 'No inbox in this process: ask one that has it', 503)
/** There is no such replay, or it is over. */
export const ReplayUnknown = createError('SF_RECONCILIATION_REPLAY_UNKNOWN', 'No running replay %s', 404)
/** `from` does not lie before `until`. */
export const RangeInvalid = createError('SF_RECONCILIATION_RANGE_INVALID', '"from" must lie before "until"', 400)
/** The option `peers` names no such peer. */
export const PeerUnknown = createError('SF_RECONCILIATION_PEER_UNKNOWN', 'No peer %s; known are: %s', 404)
/** The peer cannot be reached, refused us, or answered what cannot be understood. */
export const PeerUnavailable = createError('SF_RECONCILIATION_PEER_UNAVAILABLE', 'Peer %s: %s', 502)
/** The database gave up on a question that took longer than `statementTimeoutMs`. */
export const TooSlow = createError(
  'SF_RECONCILIATION_TOO_SLOW',
  'The question took longer than %d ms: narrow it down',
  503
)
