import { nameIn } from './broker-error.ts'

/** What a failed send says about each of its messages. */
export type FailureKind = 'refused' | 'unavailable' | 'unknown'

// The broker checked and took nothing of the record batch, and never will.
const REFUSED = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'INVALID_TOPIC_EXCEPTION'])

// Nothing was appended; it may work later, or at another broker.
const STALE = new Set(['NOT_LEADER_OR_FOLLOWER', 'LEADER_NOT_AVAILABLE', 'UNKNOWN_TOPIC_OR_PARTITION'])
const UNAVAILABLE = new Set([
  ...STALE,
  'NOT_ENOUGH_REPLICAS',
  'BROKER_NOT_AVAILABLE',
  'REPLICA_NOT_AVAILABLE',
  // Damaged on the way: what is sent next time are the bytes that we hold.
  'CORRUPT_MESSAGE',
  // A message carries the time of its sending: the fault is this process's clock, and ends with it.
  'INVALID_TIMESTAMP',
  'POLICY_VIOLATION',
  'UNSUPPORTED_VERSION',
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'ILLEGAL_SASL_STATE'
])

// Nothing for the topic will be taken before somebody has made it, or given the right to write to it.
const ABOUT_TOPIC = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'TOPIC_AUTHORIZATION_FAILED'])

/** Whether the broker answered, so that the connection is in order. */
export const isAnswer = (error: Error): boolean => nameIn(error) !== undefined

/** Whether our picture of the cluster is out of date, so that a second try with a fresh one is worth it. */
export const isStale = (error: Error): boolean => STALE.has(nameIn(error) ?? '')

/** Whether the broker says that it has no such topic. */
export const isMissing = (error: Error): boolean => nameIn(error) === 'UNKNOWN_TOPIC_OR_PARTITION'

/** Whether the broker's answer concerns the topic as a whole. */
export const aboutOf = (error: Error): 'topic' | undefined =>
  ABOUT_TOPIC.has(nameIn(error) ?? '') ? 'topic' : undefined

/** What a broker's answer, or its absence, says of what was sent. Without an answer it may have been stored. */
export function classifyError(error: Error): FailureKind {
  const name = nameIn(error)
  if (name === undefined) return 'unknown'
  if (REFUSED.has(name)) return 'refused'
  return UNAVAILABLE.has(name) ? 'unavailable' : 'unknown'
}
