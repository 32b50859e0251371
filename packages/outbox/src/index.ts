import { findPool } from '@steadfast/events/postgres'
import { requireSchema } from '@steadfast/store'
import { statementTimeoutOf, storeOn, watchPool } from '@steadfast/store/internal'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { NoTransaction } from './errors.ts'
import { warnOfNestedQueries } from './nested-queries.ts'
import { type AnyContract, type OutboxOptions, readOptions } from './options.ts'
import { createOutbox, type Outbox, type RoleSettings } from './outbox.ts'
import {
  addTransactionHooks,
  isFailing,
  kFailed,
  kTransaction,
  type RouteTransactionOptions,
  routeSettings
} from './route.ts'
import { type Answer, type Cause, controlOf, type RequestTransaction, type TransactionControl } from './send.ts'
import { type ServedOption, watchRoutes } from './served-routes.ts'

declare module 'fastify' {
  interface FastifyInstance {
    outbox: Outbox
  }
  interface FastifyRequest {
    /**
     * The transaction of this request. BEGIN is sent with the first query.
     *
     * @throws SF_OUTBOX_NO_TRANSACTION on a route without `transaction: true`
     */
    readonly tx: RequestTransaction
  }
  interface FastifyReply {
    /** `request.tx.sendEvent`: stores an event together with this request's transaction. */
    sendEvent: RequestTransaction['sendEvent']
  }
  interface RouteShorthandOptions {
    /** One transaction around this route's handler: COMMIT below status 400, ROLLBACK otherwise. Default false. */
    transaction?: boolean | RouteTransactionOptions
  }
}

async function outboxPlugin(fastify: FastifyInstance, given: OutboxOptions): Promise<void> {
  const options = readOptions(given)
  const pool = findPool(fastify, '@steadfast/outbox', options)
  const role: RoleSettings = {}
  const { outbox, open } = createOutbox(pool, options, role, fastify.log)

  fastify.decorate('outbox', outbox)
  fastify.decorateRequest(kTransaction, undefined)
  fastify.decorateRequest(kFailed, false)
  fastify.decorateRequest('tx', {
    getter(this: FastifyRequest & { [kTransaction]?: RequestTransaction }) {
      const known = this[kTransaction]
      if (known) return known
      if (routeSettings(this) === undefined) throw new NoTransaction(this.method, this.routeOptions.url ?? this.url)
      const tx = open(this.log, this.headers)
      // Nothing would end it any more: its error has been, or is being, answered.
      if (isFailing(this)) void controlOf(tx).rollback()
      this[kTransaction] = tx
      return tx
    }
  })
  fastify.decorateReply('sendEvent', function sendEvent(contract, data, sendOptions) {
    return this.request.tx.sendEvent(contract, data, sendOptions)
  })
  watchRoutes(fastify)
  fastify.addHook('onRoute', addTransactionHooks)
  warnOfNestedQueries(pool, fastify.log)
  // Stays on for good: pool.end() resolves before its sockets are closed, and one that breaks then would be uncaught.
  watchPool(pool, fastify.log)
  fastify.addHook('onReady', async () => {
    await requireSchema(pool, options.schema, 'outbox')
    const ms = await statementTimeoutOf(storeOn(pool, options.schema))
    if (ms > 0) role.statementTimeoutMs = ms
  })
}

export * as errors from './errors.ts'
export type {
  Answer,
  AnyContract,
  Cause,
  Outbox,
  OutboxOptions,
  RequestTransaction,
  RouteTransactionOptions,
  ServedOption,
  TransactionControl
}
export const outbox = fp(outboxPlugin, {
  fastify: '5.x',
  name: '@steadfast/outbox'
})
export default outbox
