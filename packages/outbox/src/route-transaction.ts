import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { TwoTransactions } from './errors.ts'
import type { Answer, RequestTransaction } from './request-transaction.ts'

/** The route option `transaction`. */
export interface RouteTransactionOptions {
  /**
   * An answer of status 400 or more commits too. A thrown error rolls back in any case. Default false.
   */
  commitOnError?: boolean
}

/** Where a request keeps its transaction, once it has one. */
export const kTransaction = Symbol('steadfast.transaction')
/** Where a route keeps its settings. */
export const kRoute = Symbol('steadfast.routeTransaction')

type WithTransaction = FastifyRequest & { [kTransaction]?: RequestTransaction }

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
  if ((route as { pg?: { transact?: unknown } }).pg?.transact)
    throw new TwoTransactions(String(route.method), route.url)
  route.config = { ...route.config, [kRoute]: transaction === true ? {} : transaction } as NonNullable<
    typeof route.config
  >
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
  const rollback = () => void (request as WithTransaction)[kTransaction]?.rollback()
  reply.raw.once('close', rollback)
  const hijack = reply.hijack
  reply.hijack = function hijackWithoutTransaction() {
    rollback()
    return hijack.call(this)
  }
  done()
}

async function rollbackOnError(request: FastifyRequest): Promise<void> {
  await (request as WithTransaction)[kTransaction]?.rollback()
}

async function endOnSend(request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
  const tx = (request as WithTransaction)[kTransaction]
  // Closed already: this is the answer to a COMMIT or to a hook that failed.
  if (tx === undefined || (tx.state !== 'idle' && tx.state !== 'open')) return payload
  const statusCode = payload instanceof Response ? payload.status : reply.statusCode
  if (statusCode >= 400 && !routeSettings(request)?.commitOnError) {
    await tx.rollback()
    return payload
  }
  const answer: Answer = { statusCode, headers: reply.getHeaders(), payload }
  await tx.commit(answer)
  return payload
}
