import { createError } from '@fastify/error'

/** A statement, an event or a COMMIT on a transaction that is over. Nothing of it was stored. */
export const TransactionClosed = createError(
  'SF_OUTBOX_TRANSACTION_CLOSED',
  'The transaction is over: its handle was used after the answer, a timeout or a rollback. Await every write before you reply.',
  500
)
/** A statement, an event or a COMMIT after the caller went away, which rolled back. 499, as nobody sees it but the log. */
export const CallerGone = createError(
  'SF_OUTBOX_CALLER_GONE',
  'The caller went away before the answer: the transaction was rolled back.',
  499
)
/** BEGIN, COMMIT, ROLLBACK and their like are not the handler's: the transaction ends with the answer. */
export const TransactionControl = createError(
  'SF_OUTBOX_TRANSACTION_CONTROL',
  '%s is not for the handler: the transaction begins and ends by itself. Savepoints are free to use.',
  500
)
/** COMMIT was asked for and PostgreSQL rolled back, because a statement had failed and its error was swallowed. */
export const NotCommitted = createError(
  'SF_OUTBOX_NOT_COMMITTED',
  'PostgreSQL rolled the transaction back, because an earlier statement in it had failed. Nothing was stored.',
  500
)
/** No connection to be had, within the time allowed: pool exhausted or database away. Nothing was stored. */
export const NoConnection = createError('SF_OUTBOX_NO_CONNECTION', 'No connection to the database: %s', 503)
/** The connection broke before COMMIT. Nothing was stored. */
export const ConnectionLost = createError('SF_OUTBOX_CONNECTION_LOST', 'The connection to the database broke: %s', 503)
/** Serialization failure (40001) or deadlock (40P01). Nothing was stored; the same request may succeed later. */
export const TransactionConflict = createError(
  'SF_OUTBOX_CONFLICT',
  'The transaction conflicted with another one (%s). Nothing was stored; try again.',
  503
)
/** The connection broke after COMMIT was sent and before its answer came: stored or not, nobody here knows. */
export const OutcomeUnknown = createError(
  'SF_OUTBOX_OUTCOME_UNKNOWN',
  'The connection broke while COMMIT was under way: whether the transaction was stored is unknown (%s)',
  500
)

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
