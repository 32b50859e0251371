import {
  buildEvent,
  type EventContract,
  type EventData,
  type ExactJson,
  type NewEvent,
  type SendOptions
} from '@steadfast/events'
import { TAKES_STATEMENTS } from '@steadfast/events/postgres'
import type { LendingPool } from '@steadfast/store/internal'
import { AnswersNothing, ContractUnknown } from './errors.ts'
import type { AnyContract, Settings } from './options.ts'
import { openTransaction, type Transaction, type TransactionOptions } from './transaction.ts'

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

/** A transaction that sends events, as handlers see it. It begins with its first statement, and ends by itself. */
export interface RequestTransaction extends Pick<Transaction, typeof TAKES_STATEMENTS | 'query' | 'flush'> {
  /**
   * Sends an event with this transaction: both are stored or neither. Data that the contract refuses fail the
   * transaction like a statement that fails, also where nobody awaits the call, and also where the error is caught,
   * unless a savepoint is rolled back to.
   *
   * @throws (rejects) SF_OUTBOX_CONTRACT_UNKNOWN, SF_OUTBOX_ANSWERS_NOTHING, SF_EVENTS_DATA_REFUSED,
   * SF_EVENTS_PAYLOAD_INVALID, SF_EVENTS_PAYLOAD_TOO_LARGE, SF_EVENTS_HEADER_INVALID, SF_OUTBOX_TRANSACTION_CLOSED
   * @returns the event as it will be stored; its id is final
   */
  sendEvent<C extends AnyContract>(
    contract: C,
    data: EventData<C> | ExactJson,
    options?: SendOptions
  ): Promise<NewEvent>
  /**
   * Registers a function that runs inside the transaction, before the buffered events are written, in order of
   * registration. It may use {@link query} and {@link sendEvent}; when it throws, the transaction is rolled back.
   */
  beforeCommit(fn: (answer: unknown) => void | Promise<void>): void
}

/** The machine below a {@link RequestTransaction}, for the plugins of Steadfast. */
export interface TransactionControl
  extends Pick<Transaction, 'phase' | 'error' | 'write' | 'beforeCommit' | 'commit' | 'rollback'> {
  /** From now on events name their cause, and answer it where their contract says so. */
  causedBy(cause: Cause): void
  /** Looks at each event before it is written, and may replace it, or hold it back by `undefined`. */
  intercept(fn: (event: NewEvent) => NewEvent | undefined): void
}

const kControl = Symbol('steadfast.control')

type Controlled = RequestTransaction & { readonly [kControl]: TransactionControl }

/** What the plugins of Steadfast do with a transaction that handlers must not. */
export const controlOf = (tx: RequestTransaction): TransactionControl => (tx as Controlled)[kControl]

/** Opens a transaction that sends events. `incoming`: headers whose trace context is passed on. */
export function openSending(
  pool: LendingPool,
  options: TransactionOptions,
  prepare: Prepare,
  incoming: Record<string, unknown> = {}
): RequestTransaction {
  const tx = openTransaction(pool, options)
  let cause: Cause | undefined
  let trace = traceOf(incoming)
  const interceptors: ((event: NewEvent) => NewEvent | undefined)[] = []

  const control = Object.assign(tx, {
    causedBy(given: Cause) {
      cause = given
      trace = { ...trace, ...traceOf(given.headers ?? {}) }
    },
    intercept(fn: (event: NewEvent) => NewEvent | undefined) {
      interceptors.push(fn)
    }
  })

  async function send(prepared: NewEvent): Promise<NewEvent> {
    if (cause !== undefined && prepared.causationId === cause.eventId) delete prepared.isLateAnswer
    let event: NewEvent | undefined = prepared
    for (const fn of interceptors) event = event && fn(event)
    if (event === undefined) return prepared
    await tx.write(event)
    return event
  }

  const handle: Controlled = {
    [TAKES_STATEMENTS]: true,
    [kControl]: control,
    query: tx.query,
    flush: tx.flush,
    beforeCommit: tx.beforeCommit,
    sendEvent(contract, data, options = {}) {
      const late = tx.refuseLate()
      if (late !== undefined) return late
      let prepared: NewEvent
      try {
        prepared = prepare(contract, data, withContext(contract, options, cause, trace))
      } catch (error) {
        tx.refuse(error)
        return handled(Promise.reject(error))
      }
      return handled(send(prepared))
    }
  }
  return handle
}

/** A call that nobody awaits fails COMMIT; it must not end the process as well. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}

/** What makes events of contracts and data for one service: it sends what is among its contracts, and no more. */
export function preparer(contracts: ReadonlyMap<string, EventContract>, options: Settings): Prepare {
  const sender = { source: options.source, replyTo: options.replyTo, defaults: options, seal: options.seal }
  return (contract, data, sendOptions) => {
    const known = contracts.get(contract.type)
    if (known === undefined) throw new ContractUnknown(contract.type, 'it is not among the option "contracts"')
    if (known !== (contract as AnyContract)) throw new ContractUnknown(contract.type, 'another contract has this type')
    // Sent as any event, it would confirm nothing, and its request would go out again and be parked.
    if (known.answers !== undefined && sendOptions?.inReplyTo === undefined)
      throw new AnswersNothing(known.type, known.answers.type)
    return buildEvent(known, data as ExactJson, sender, sendOptions)
  }
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

const TRACE = ['traceparent', 'tracestate']

function traceOf(headers: Record<string, unknown>): Record<string, string> {
  const trace: Record<string, string> = {}
  for (const name of TRACE) {
    const value = headers[name]
    if (typeof value === 'string') trace[name] = value
  }
  return trace
}
