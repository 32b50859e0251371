import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { CallerGone, TwoTransactions } from './errors.ts'
import { holdingHandler } from './nested-queries.ts'
import { type Answer, controlOf, type RequestTransaction, type TransactionControl } from './send.ts'
import { markServed } from './served-routes.ts'
import { hasEnded } from './transaction.ts'

/** The route option `transaction`. */
export interface RouteTransactionOptions {
  /**
   * An answer of status 400 or more commits too. A thrown error rolls back in any case. Default false.
   */
  commitOnError?: boolean
}

/** Where a request keeps its transaction, once it has one. */
export const kTransaction = Symbol('steadfast.transaction')
/** Set on a request whose error is being answered. */
export const kFailed = Symbol('steadfast.failed')
/** Where a route keeps its settings. */
export const kRoute = Symbol('steadfast.routeTransaction')

type WithTransaction = FastifyRequest & { [kTransaction]?: RequestTransaction; [kFailed]?: boolean }

function controlIn(request: FastifyRequest): TransactionControl | undefined {
  const tx = (request as WithTransaction)[kTransaction]
  return tx && controlOf(tx)
}

/** What the route of a request says of its transaction; `undefined` without one. */
export function routeSettings(request: FastifyRequest): RouteTransactionOptions | undefined {
  return (request.routeOptions.config as { [kRoute]?: RouteTransactionOptions } | undefined)?.[kRoute]
}

/**
 * The onRoute hook: gives routes with `transaction` their hooks. COMMIT comes last among the route's onSend hooks, so
 * that what fails before it fails the transaction too.
 *
 * @throws SF_OUTBOX_TWO_TRANSACTIONS
 */
export function addTransactionHooks(route: RouteOptions): void {
  const { transaction } = route
  if (transaction === undefined || transaction === false) return
  markServed(route, 'transaction')
  if ((route as { pg?: { transact?: unknown } }).pg?.transact)
    throw new TwoTransactions(String(route.method), route.url)
  route.config = { ...route.config, [kRoute]: transaction === true ? {} : transaction } as NonNullable<
    typeof route.config
  >
  route.handler = ignoreLate(holdingHandler(route.handler, controlIn))
  route.onRequest = [guardReply, ...others(route.onRequest, guardReply)] as NonNullable<typeof route.onRequest>
  route.onError = [rollbackOnError, ...others(route.onError, rollbackOnError)] as NonNullable<typeof route.onError>
  route.onSend = [...others(route.onSend, endOnSend), endOnSend] as NonNullable<typeof route.onSend>
}

// A HEAD route is made from its GET route, hooks included.
function others(hooks: unknown, own: unknown): unknown[] {
  return (Array.isArray(hooks) ? hooks : hooks === undefined ? [] : [hooks]).filter(hook => hook !== own)
}

/** Whatever ends a response without onSend (hijack, a caller gone, raw.end()) ends the transaction by a rollback. */
function guardReply(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  const rollback = (reason?: Error) => void controlIn(request)?.rollback(reason)
  reply.raw.once('close', () => rollback(reply.raw.writableEnded ? undefined : new CallerGone()))
  const hijack = reply.hijack
  reply.hijack = function hijackWithoutTransaction() {
    rollback()
    return hijack.call(this)
  }
  done()
}

/** Whether an error of a request, such as its time-out, is being answered: its handler has nothing to say any more. */
export const isFailing = (request: FastifyRequest): boolean => (request as WithTransaction)[kFailed] === true

type Handler = RouteOptions['handler']
const wrapped = new WeakSet<Handler>()

/**
 * What a handler says while its time-out or its error is being answered already is not another answer. For whoever
 * wraps the handler of a route with `transaction` once more.
 */
export function ignoreLate(handler: Handler): Handler {
  if (wrapped.has(handler)) return handler
  const timely: Handler = function (request, reply) {
    const result = handler.call(this, request, reply)
    if (typeof (result as PromiseLike<unknown> | undefined)?.then !== 'function') return result
    return (result as Promise<unknown>).then(
      value => (isFailing(request) ? reply : value),
      error => {
        if (isFailing(request)) return reply
        throw error
      }
    )
  }
  wrapped.add(timely)
  return timely
}

/**
 * Closes the handle at once; onSend waits for the ROLLBACK. Not an asynchronous hook: a handler that ends while one
 * runs makes Fastify throw where nobody catches.
 */
function rollbackOnError(request: FastifyRequest, _reply: FastifyReply, _error: Error, done: () => void): void {
  ;(request as WithTransaction)[kFailed] = true
  void controlIn(request)?.rollback()
  done()
}

async function endOnSend(request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
  const tx = controlIn(request)
  // This is the answer to a COMMIT or to a hook that failed.
  if (tx === undefined || hasEnded(tx)) return payload
  const statusCode = payload instanceof Response ? payload.status : reply.statusCode
  if (statusCode >= 400 && !routeSettings(request)?.commitOnError) {
    await tx.rollback()
    return payload
  }
  const answer: Answer = { statusCode, headers: reply.getHeaders(), payload }
  await tx.commit(answer)
  return payload
}
