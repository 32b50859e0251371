import { createError } from '@fastify/error'

/** A message whose value alone is larger than the topic's `max.message.bytes`. It was not sent. */
export const MessageTooLarge = createError(
  'SF_TRANSPORT_KAFKA_TOO_LARGE',
  'A message of %d bytes for topic %s: its max.message.bytes is %d',
  413
)
/** The broker said no to this message as it is. */
export const MessageRefused = createError('SF_TRANSPORT_KAFKA_REFUSED', 'Topic %s refused the message: %s', 422)
/** The message was certainly not stored: broker, topic or partition cannot be reached or take nothing now. */
export const PublishUnavailable = createError(
  'SF_TRANSPORT_KAFKA_UNAVAILABLE',
  'Topic %s cannot be published to: %s',
  503
)
/** The message was sent and the answer did not come; it may have been stored. */
export const OutcomeUnknown = createError('SF_TRANSPORT_KAFKA_UNKNOWN', 'No answer for a message to topic %s: %s', 503)
/** Not attempted, because an earlier message of the same key failed in this batch. */
export const KeyBlocked = createError(
  'SF_TRANSPORT_KAFKA_KEY_BLOCKED',
  'Topic %s: not attempted, as an earlier message of the key failed',
  503
)
/** The transport is closed. */
export const TransportClosed = createError('SF_TRANSPORT_KAFKA_CLOSED', 'The Kafka transport is closed', 503)
/** The member has no partitions at the moment, for the broker is away or the group is rebalancing. */
export const NotJoined = createError('SF_TRANSPORT_KAFKA_NOT_JOINED', 'Not a member of group %s now: %s', 503)
/** The broker did not answer in time. */
export const BrokerTimeout = createError('SF_TRANSPORT_KAFKA_TIMEOUT', '%s took longer than %d ms', 504)
/** No broker answered an administrative request, each having been asked. */
export const NoAnswer = createError('SF_TRANSPORT_KAFKA_NO_ANSWER', 'No broker answered: %s', 503)
