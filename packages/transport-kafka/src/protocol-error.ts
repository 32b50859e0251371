// The error codes of the Produce request, https://kafka.apache.org/protocol#protocol_error_codes.
const TYPES = new Map([
  [2, 'CORRUPT_MESSAGE'],
  [3, 'UNKNOWN_TOPIC_OR_PARTITION'],
  [5, 'LEADER_NOT_AVAILABLE'],
  [6, 'NOT_LEADER_FOR_PARTITION'],
  [7, 'REQUEST_TIMED_OUT'],
  [9, 'REPLICA_NOT_AVAILABLE'],
  [10, 'MESSAGE_TOO_LARGE'],
  [13, 'NETWORK_EXCEPTION'],
  [17, 'INVALID_TOPIC_EXCEPTION'],
  [18, 'RECORD_LIST_TOO_LARGE'],
  [19, 'NOT_ENOUGH_REPLICAS'],
  [20, 'NOT_ENOUGH_REPLICAS_AFTER_APPEND'],
  [29, 'TOPIC_AUTHORIZATION_FAILED'],
  [31, 'CLUSTER_AUTHORIZATION_FAILED'],
  [32, 'INVALID_TIMESTAMP'],
  [44, 'POLICY_VIOLATION'],
  [56, 'KAFKA_STORAGE_ERROR'],
  [87, 'INVALID_RECORD']
])

/** The broker's answer for a partition, as an error with a `type`, the way kafkajs makes them. */
export function protocolError(code: number): Error & { type: string } {
  const type = TYPES.get(code) ?? `ERROR_${code}`
  return Object.assign(new Error(`the broker answered ${type}`), { type, code })
}
