import type { EventContract, EventData, ExactJson, NewEvent, SendOptions } from '@steadfast/events'
import { openTransaction, type Transaction, type TransactionOptions, type TransactionPool } from '@steadfast/store'

/** A contract, whatever its data. */
export type AnyContract = Pick<EventContract, 'type' | 'topic' | 'refusal'>

/** What a handler of HTTP gives to functions registered with `beforeCommit`: the answer as it will be sent. */
export interface Answer {
  statusCode: number
  headers: Record<string, unknown>
  payload: unknown
}

/** The event at hand, of which those sent from now on are effects. */
export interface Cause {
  eventId: string
  eventType: string
  correlationId?: string | undefined
  /** Its plain headers; trace context is passed on. */
  headers?: Record<string, string> | undefined
}

/** Checks data against a contract and makes the event, without storing it. */
export type Prepare = <C extends AnyContract>(
  contract: C,
  data: EventData<C> | ExactJson,
  options?: SendOptions
) => NewEvent

/** A transaction that sends events. */
export interface RequestTransaction extends Transaction {
  /**
   * Sends an event with this transaction: both are stored or neither. Data that the contract refuses are thrown at
   * once, so that even a call nobody awaits fails the request.
   *
   * @throws SF_OUTBOX_CONTRACT_UNKNOWN, SF_OUTBOX_ANSWERS_NOTHING, SF_EVENTS_DATA_REFUSED, SF_EVENTS_PAYLOAD_INVALID,
   * SF_EVENTS_PAYLOAD_TOO_LARGE, SF_EVENTS_HEADER_INVALID, SF_OUTBOX_TRANSACTION_CLOSED
   * @returns the event as it will be stored; its id is final
   */
  sendEvent<C extends AnyContract>(
    contract: C,
    data: EventData<C> | ExactJson,
    options?: SendOptions
  ): Promise<NewEvent>
  /** From now on events name their cause, and answer it where their contract says so. */
  causedBy(cause: Cause): void
  /** Looks at each event before it is written, and may replace it, or hold it back by `undefined`. */
  intercept(fn: (event: NewEvent) => NewEvent | undefined): void
}

const TRACE = ['traceparent', 'tracestate']

/** Opens a transaction that sends events. `incoming`: headers whose trace context is passed on. */
export function openRequestTransaction(
  pool: TransactionPool,
  options: TransactionOptions,
  prepare: Prepare,
  incoming: Record<string, unknown> = {}
): RequestTransaction {
  const tx = openTransaction(pool, options)
  let cause: Cause | undefined
  let trace = traceOf(incoming)
  const interceptors: ((event: NewEvent) => NewEvent | undefined)[] = []
  const own = {
    causedBy(given: Cause) {
      cause = given
      trace = { ...trace, ...traceOf(given.headers ?? {}) }
    },
    intercept(fn: (event: NewEvent) => NewEvent | undefined) {
      interceptors.push(fn)
    },
    sendEvent<C extends AnyContract>(contract: C, data: EventData<C> | ExactJson, options: SendOptions = {}) {
      // Not thrown at once: a timer that comes after the answer must not end the process.
      if (tx.state !== 'idle' && tx.state !== 'open') return tx.flush() as Promise<never>
      const prepared = prepare(contract, data, withContext(contract, options, cause, trace))
      if (cause !== undefined && prepared.causationId === cause.eventId) delete prepared.isLateAnswer
      let event: NewEvent | undefined = prepared
      for (const fn of interceptors) event = event && fn(event)
      return event === undefined ? Promise.resolve(prepared) : write(event)
    }
  }
  const write = (event: NewEvent) => {
    const written = tx.write(event).then(() => event)
    // A failed write fails the COMMIT; whoever awaits sees it here too.
    written.catch(() => {})
    return written
  }
  return Object.defineProperties(own, Object.getOwnPropertyDescriptors(tx)) as typeof own & Transaction
}

function withContext(
  contract: AnyContract & { answers?: AnyContract },
  options: SendOptions,
  cause: Cause | undefined,
  trace: Record<string, string>
): SendOptions {
  const result: SendOptions = { ...options, headers: { ...trace, ...options.headers } }
  if (cause === undefined) return result
  if (result.inReplyTo === undefined && result.causationId === undefined) {
    if (contract.answers?.type === cause.eventType) result.inReplyTo = cause.eventId
    else result.causationId = cause.eventId
  }
  if (cause.correlationId !== undefined) result.correlationId ??= cause.correlationId
  return result
}

function traceOf(headers: Record<string, unknown>): Record<string, string> {
  const trace: Record<string, string> = {}
  for (const name of TRACE) {
    const value = headers[name]
    if (typeof value === 'string') trace[name] = value
  }
  return trace
}
