import { createError } from '@fastify/error'
import { errors } from '@steadfast/store'

export const {
  CallerGone,
  TransactionClosed,
  TransactionControl,
  NotCommitted,
  NoConnection,
  ConnectionLost,
  TransactionConflict,
  OutcomeUnknown
} = errors

/** `request.tx` or `reply.sendEvent` on a route without `transaction: true`. Nothing was stored. */
export const NoTransaction = createError(
  'SF_OUTBOX_NO_TRANSACTION',
  'Route %s %s has no transaction: give it the option "transaction: true"',
  500
)
/** An event whose contract is not among the option `contracts`. Nothing was stored. */
export const ContractUnknown = createError('SF_OUTBOX_CONTRACT_UNKNOWN', 'This service does not send %s: %s', 500)
/** An event whose contract answers another, and nothing says which event it answers. Nothing was stored. */
export const AnswersNothing = createError(
  'SF_OUTBOX_ANSWERS_NOTHING',
  '%s answers %s: send it from the handler of one, or name the event with "inReplyTo"',
  500
)
/** Two contracts in the option `contracts` have one type. */
export const ContractTwice = createError('SF_OUTBOX_CONTRACT_TWICE', 'Two contracts have the type %s', 500)
/** A route asks for this transaction and for that of @fastify/postgres. */
export const TwoTransactions = createError(
  'SF_OUTBOX_TWO_TRANSACTIONS',
  'Route %s %s has both "transaction" and "pg: { transact }": take one, and for events "transaction"',
  500
)
/** Routes ask for what a plugin gives, and it is absent, comes after them, or stands in another context. */
export const RouteUnserved = createError(
  'SF_OUTBOX_ROUTE_UNSERVED',
  '%s: nothing serves the route option "%s". Register %s before the route, in its context or in one around it, and await that',
  500
)
