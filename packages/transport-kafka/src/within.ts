import { within as inTime } from '@steadfast/events/runtime'
import { BrokerTimeout } from './errors.ts'

/** Settles as `promise` does, or rejects with SF_TRANSPORT_KAFKA_TIMEOUT after `ms`. */
export const within = <T>(promise: Promise<T>, ms: number, what: string): Promise<T> =>
  inTime(promise, ms, () => new BrokerTimeout(what, ms))

/** Whatever was thrown, as an Error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}
