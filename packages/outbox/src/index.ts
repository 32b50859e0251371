import type {} from '@fastify/postgres'
import { buildEvent, type EventContract, type ExactJson, type NewEvent } from '@steadfast/events'
import { type Queryable, requireSchema, storeOn, type TransactionOptions, writeEvents } from '@steadfast/store'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import * as channels from './channels.ts'
import { ContractTwice, ContractUnknown, NoTransaction } from './errors.ts'
import { type OutboxOptions, readOptions } from './options.ts'
import {
  type Answer,
  type AnyContract,
  type Cause,
  openRequestTransaction,
  type Prepare,
  type RequestTransaction
} from './request-transaction.ts'
import { addTransactionHooks, kTransaction, type RouteTransactionOptions, routeSettings } from './route-transaction.ts'

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

/** What the plugin decorates the server with. */
export interface Outbox {
  readonly source: string
  readonly schema: string
  readonly replyTo: string
  /** What this service may send, by type. */
  readonly contracts: ReadonlyMap<string, EventContract>
  /** Whether this service may send events of a type. */
  sends(type: string): boolean
  /** A transaction outside a request: COMMIT when `fn` resolves, ROLLBACK when it rejects. */
  transaction<T>(fn: (tx: RequestTransaction) => Promise<T>): Promise<T>
  /**
   * Tells a listener of committed events, right after COMMIT. A hint to look for work, not a record: a process that
   * dies in between tells nobody.
   *
   * @returns stops listening
   */
  onCommit(listener: (events: readonly NewEvent[]) => void): () => void
  /** Checks data against a contract and makes the event, for {@link write}. Throws as `sendEvent` does. */
  prepare: Prepare
  /**
   * Writes prepared events through a handle of your own: a client of node-postgres, or whatever has
   * `query(text, values)` and runs in the transaction you own. Let it be the last statement before COMMIT, or the order
   * of events may differ from the order of commits.
   */
  write(handle: Queryable, events: readonly NewEvent[]): Promise<void>
}

async function outbox(fastify: FastifyInstance, given: OutboxOptions): Promise<void> {
  const options = readOptions(given)
  const { source, schema, replyTo } = options
  const { pool } = fastify.pg
  const contracts = byType(options.contracts)
  const listeners = new Set<(events: readonly NewEvent[]) => void>()

  const prepare: Prepare = (contract, data, sendOptions) => {
    const known = contracts.get(contract.type)
    if (known === undefined) throw new ContractUnknown(contract.type, 'it is not among the option "contracts"')
    if (known !== (contract as AnyContract)) throw new ContractUnknown(contract.type, 'another contract has this type')
    const sender = { source, replyTo, defaults: options }
    return buildEvent(known, data as ExactJson, sender, sendOptions)
  }

  const settings = (log: FastifyInstance['log']): TransactionOptions => ({
    schema,
    idleInTransactionTimeoutMs: options.idleInTransactionTimeoutMs,
    statementTimeoutMs: options.statementTimeoutMs,
    connectTimeoutMs: options.connectTimeoutMs,
    onIdleError: err => log.warn({ err }, 'connection lost within a transaction'),
    onLate: err => log.error({ err }, 'transaction used after its end'),
    onBeforeCommit: events => channels.beforeCommit.hasSubscribers && channels.beforeCommit.publish({ events }),
    onCommitted(events) {
      if (channels.afterCommit.hasSubscribers) channels.afterCommit.publish({ events })
      if (events.length > 0) tell(events, log)
    }
  })

  const tell = (events: readonly NewEvent[], log: FastifyInstance['log']) => {
    for (const listener of listeners) {
      try {
        listener(events)
      } catch (err) {
        log.error({ err }, 'a listener of the outbox failed')
      }
    }
  }

  const decoration: Outbox = {
    source,
    schema,
    replyTo,
    contracts,
    sends: type => contracts.has(type),
    prepare,
    write: (handle, events) => writeEvents(storeOn(handle, schema), events),
    onCommit(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    async transaction(fn) {
      const tx = openRequestTransaction(pool, settings(fastify.log), prepare)
      try {
        const result = await fn(tx)
        if (tx.state === 'idle' || tx.state === 'open') await tx.commit()
        return result
      } catch (error) {
        await tx.rollback()
        throw error
      }
    }
  }

  fastify.decorate('outbox', decoration)
  fastify.decorateRequest(kTransaction, undefined)
  fastify.decorateRequest('tx', {
    getter(this: FastifyRequest & { [kTransaction]?: RequestTransaction }) {
      const open = this[kTransaction]
      if (open) return open
      if (routeSettings(this) === undefined) throw new NoTransaction(this.method, this.routeOptions.url ?? this.url)
      const tx = openRequestTransaction(pool, settings(this.log), prepare, this.headers)
      this[kTransaction] = tx
      return tx
    }
  })
  fastify.decorateReply('sendEvent', function sendEvent(contract, data, sendOptions) {
    return this.request.tx.sendEvent(contract, data, sendOptions)
  })
  fastify.addHook('onRoute', addTransactionHooks)
  // Without a listener, an idle connection that breaks would end the process.
  pool.on('error', err => fastify.log.warn({ err }, 'idle database connection lost'))
  fastify.addHook('onReady', () => requireSchema(pool, schema))
}

function byType(contracts: readonly AnyContract[]): Map<string, EventContract> {
  const map = new Map<string, EventContract>()
  for (const contract of contracts) {
    if (map.has(contract.type) && map.get(contract.type) !== contract) throw new ContractTwice(contract.type)
    map.set(contract.type, contract as EventContract)
  }
  return map
}

export * as errors from './errors.ts'
export type { Answer, AnyContract, Cause, OutboxOptions, RequestTransaction, RouteTransactionOptions }

export const steadfastOutbox = fp(outbox, {
  fastify: '5.x',
  name: '@steadfast/outbox',
  dependencies: ['@fastify/postgres']
})
export default steadfastOutbox
