import { AsyncLocalStorage } from 'node:async_hooks'
import type { FastifyBaseLogger, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { Pool } from 'pg'
import type { TransactionControl } from './send.ts'

/** Whose transaction what runs now belongs to. */
interface Holder {
  /** A route, or what else a developer would look for. */
  readonly name: string
  readonly control: Pick<TransactionControl, 'phase'> | undefined
}

const holders = new AsyncLocalStorage<Holder>()
/** It costs a little with each request, and whoever runs the service is not who can mend it. */
const isDevelopment = process.env.NODE_ENV !== 'production'

/** Runs work as a holder of its transaction. */
export const holding = <T>(holder: Holder, work: () => T): T => (isDevelopment ? holders.run(holder, work) : work())

/** The handler of a route, as a holder of its request's transaction. */
export function holdingHandler(
  handler: RouteOptions['handler'],
  controlIn: (request: FastifyRequest) => TransactionControl | undefined
): RouteOptions['handler'] {
  if (!isDevelopment) return handler
  return function (request: FastifyRequest, reply: FastifyReply) {
    const holder = {
      name: `${request.method} ${request.routeOptions.url ?? request.url}`,
      get control() {
        return controlIn(request)
      }
    }
    return holding(holder, () => handler.call(this, request, reply))
  }
}

/**
 * In development, warns once of each holder that takes a second connection from the pool while its transaction is open:
 * what it does there is not part of the transaction, and when as many do that as there are connections, all of them wait.
 */
export function warnOfNestedQueries(pool: Pool, log: FastifyBaseLogger): void {
  if (!isDevelopment) return
  const warned = new Set<string>()
  pool.on('acquire', () => {
    const holder = holders.getStore()
    if (holder?.control?.phase !== 'open' || warned.has(holder.name)) return
    warned.add(holder.name)
    const told = 'a query outside its transaction takes a second connection, and may wait for one: use its tx.query'
    log.warn({ holder: holder.name }, told)
  })
}
