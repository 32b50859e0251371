import type { EventContract, NewEvent } from '@steadfast/events'
import { type Queryable, REACH_MS, storeOn, writeEvents } from '@steadfast/store/internal'
import type { FastifyBaseLogger } from 'fastify'
import type { Pool } from 'pg'
import * as channels from './channels.ts'
import { CallerGone, ContractTwice } from './errors.ts'
import { holding } from './nested-queries.ts'
import type { AnyContract, Settings } from './options.ts'
import { ignoreLate, isFailing } from './route.ts'
import {
  controlOf,
  openSending,
  type Prepare,
  preparer,
  type RequestTransaction,
  type TransactionControl
} from './send.ts'
import { markServed } from './served-routes.ts'
import { hasEnded, type TransactionOptions } from './transaction.ts'

/** What the plugin decorates the server with. */
export interface Outbox {
  readonly source: string
  readonly schema: string
  /** Where its connections come from, and those of the plugins after it. */
  readonly pool: Pool
  readonly replyTo: string
  /** The largest payload in bytes. */
  readonly maxPayloadBytes: number
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
  /** How the plugins of Steadfast wrap the handlers of routes with a transaction. Internal. */
  readonly routes: Readonly<typeof routes>
  /** What the plugins of Steadfast do with a transaction that handlers must not. Internal. */
  control(tx: RequestTransaction): TransactionControl
}

const routes = { ignoreLate, isFailing, markServed }

type Listener = (events: readonly NewEvent[]) => void
/** Opens a transaction; `incoming`: headers whose trace context its events pass on. */
export type Open = (log: FastifyBaseLogger, incoming?: Record<string, unknown>) => RequestTransaction

/** Makes what the server is decorated with, and what opens the transactions of requests. */
export function createOutbox(
  pool: Pool,
  options: Settings,
  role: RoleSettings,
  log: FastifyBaseLogger
): { outbox: Outbox; open: Open } {
  const { source, schema, replyTo } = options
  const contracts = byType(options.contracts)
  const listeners = new Set<Listener>()
  const prepare = preparer(contracts, options)
  const open: Open = (log, incoming) =>
    openSending(pool, transactionOptions(options, role, listeners, log), prepare, incoming)

  const outbox: Outbox = {
    source,
    schema,
    pool,
    replyTo,
    maxPayloadBytes: options.maxPayloadBytes,
    contracts,
    routes,
    control: controlOf,
    sends: type => contracts.has(type),
    prepare,
    async write(handle, events) {
      await writeEvents(storeOn(handle, schema), events)
    },
    onCommit(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    async transaction(fn) {
      const tx = open(log)
      const control = controlOf(tx)
      try {
        const result = await holding({ name: 'outbox.transaction', control }, () => fn(tx))
        if (!hasEnded(control)) await control.commit()
        return result
      } catch (error) {
        await control.rollback()
        throw error
      }
    }
  }
  return { outbox, open }
}

/** A statement whose server is out of reach is given up after so long, where nobody has said how long one may take. */
const QUERY_TIMEOUT_MS = 35_000

/** What the database's owner has set for the role. */
export interface RoleSettings {
  /** In ms. Absent: not known yet, or no limit. */
  statementTimeoutMs?: number
}

function queryTimeoutOf(statementTimeoutMs: number | undefined): number | undefined {
  if (statementTimeoutMs === 0) return undefined
  return statementTimeoutMs === undefined ? QUERY_TIMEOUT_MS : statementTimeoutMs + REACH_MS
}

function transactionOptions(
  options: Settings,
  role: RoleSettings,
  listeners: Set<Listener>,
  log: FastifyBaseLogger
): TransactionOptions {
  return {
    schema: options.schema,
    idleInTransactionTimeoutMs: options.idleInTransactionTimeoutMs,
    statementTimeoutMs: options.statementTimeoutMs,
    queryTimeoutMs: queryTimeoutOf(options.statementTimeoutMs ?? role.statementTimeoutMs),
    connectTimeoutMs: options.connectTimeoutMs,
    onIdleError: err => log.warn({ err }, 'connection lost within a transaction'),
    onLate: err => log[err instanceof CallerGone ? 'debug' : 'error']({ err }, 'transaction used after its end'),
    onBeforeCommit: events => channels.beforeCommit.hasSubscribers && channels.beforeCommit.publish({ events }),
    onCommitted(events) {
      if (channels.afterCommit.hasSubscribers) channels.afterCommit.publish({ events })
      if (events.length === 0) return
      for (const listener of listeners) {
        try {
          listener(events)
        } catch (err) {
          log.error({ err }, 'a listener of the outbox failed')
        }
      }
    }
  }
}

function byType(contracts: readonly AnyContract[]): Map<string, EventContract> {
  const map = new Map<string, EventContract>()
  for (const contract of contracts) {
    if (map.has(contract.type) && map.get(contract.type) !== contract) throw new ContractTwice(contract.type)
    map.set(contract.type, contract as EventContract)
  }
  return map
}
