import { protocolErrorsCodesById } from '@platformatic/kafka'

/** An error that a broker has answered. `brokerError`: its name in the protocol, e.g. `NOT_LEADER_OR_FOLLOWER`. */
export interface BrokerError extends Error {
  brokerError: string
}

/** The name of a code in an answer; undefined for 0, which is success. */
export const nameOfError = (code: number): string | undefined =>
  code === 0 ? undefined : (protocolErrorsCodesById[code] ?? `ERROR_${code}`)

export const brokerError = (name: string, message = `the broker answered ${name}`): BrokerError =>
  Object.assign(new Error(message), { brokerError: name })

/** The broker's word for what went wrong, if it answered. */
export function nameIn(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error)) return undefined
  const { brokerError: own, apiId } = thrown as Partial<BrokerError> & { apiId?: unknown }
  if (own !== undefined) return own
  // As the client names it, when it makes an error of an answer by itself: while it authenticates.
  if (typeof apiId === 'string') return apiId
  for (const inner of thrown instanceof AggregateError ? thrown.errors : [thrown.cause]) {
    const name = nameIn(inner)
    if (name !== undefined) return name
  }
  return undefined
}

/** What happened in the end: the client says first what it was doing. */
export function reasonOf(error: Error): string {
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : error.cause
  return inner instanceof Error && !('brokerError' in error) ? reasonOf(inner) : error.message || error.name
}

/** @throws the error of a code that is not 0 */
export function mustBeOk(code: number, what: string): void {
  const name = nameOfError(code)
  if (name !== undefined) throw brokerError(name, `${what}: the broker answered ${name}`)
}
