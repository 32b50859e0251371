/** What a failed send says about each of its messages. */
export type FailureKind = 'refused' | 'unavailable' | 'unknown'

// The broker checked and took nothing of the record batch, and never will.
const REFUSED = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'INVALID_TOPIC_EXCEPTION'])

// Nothing was appended; it may work later, or at another broker.
const STALE = new Set(['NOT_LEADER_FOR_PARTITION', 'LEADER_NOT_AVAILABLE', 'UNKNOWN_TOPIC_OR_PARTITION'])
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

// No connection came about, so nothing was sent on it.
const NEVER_CONNECTED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])
const BEFORE_SENDING = new Set([
  'KafkaJSBrokerNotFound',
  'KafkaJSMetadataNotLoaded',
  'KafkaJSTopicMetadataNotLoaded',
  'KafkaJSSASLAuthenticationError',
  'KafkaJSLockTimeout'
])

interface KafkaError extends Error {
  type?: string
  code?: string | number
}

/** Whether the broker answered, so that the connection is in order. */
export function isAnswer(error: Error): boolean {
  return typeof rootOf(error).type === 'string'
}

/** Whether our picture of the cluster is out of date, so that a second try with a fresh one is worth it. */
export function isStale(error: Error): boolean {
  return STALE.has(rootOf(error).type ?? '')
}

/** Whether the broker says that it has no such topic. */
export function isMissing(error: Error): boolean {
  return rootOf(error).type === 'UNKNOWN_TOPIC_OR_PARTITION'
}

/** Whether the broker's answer concerns the topic as a whole. */
export function aboutOf(error: Error): 'topic' | undefined {
  return ABOUT_TOPIC.has(rootOf(error).type ?? '') ? 'topic' : undefined
}

/** Anything that is not known to have failed before the append may have been stored. */
export function classifyError(error: Error): FailureKind {
  const { type, code, name, message } = rootOf(error)
  if (type !== undefined) {
    if (REFUSED.has(type)) return 'refused'
    return UNAVAILABLE.has(type) ? 'unavailable' : 'unknown'
  }
  if (BEFORE_SENDING.has(name)) return 'unavailable'
  if (typeof code === 'string' && NEVER_CONNECTED.has(code)) return 'unavailable'
  if (name === 'KafkaJSConnectionError' && message === 'Connection timeout') return 'unavailable'
  return 'unknown'
}

// kafkajs wraps what it gave up on.
function rootOf(error: Error): KafkaError {
  let root: KafkaError = error
  while (root.type === undefined && root.cause instanceof Error) root = root.cause
  return root
}
