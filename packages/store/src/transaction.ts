import type { NewEvent } from '@steadfast/events'
import { TAKES_STATEMENTS } from '@steadfast/events/postgres'
import { checkIdentifier } from './db.ts'
import { commit, rollback } from './end-transaction.ts'
import type { QueryConfig, QueryResult, TransactionPool } from './lend-client.ts'
import { flush, refuseLate, run, type Session } from './transaction-session.ts'

/**
 * `idle`: BEGIN has not been sent. `broken`: the connection was lost while COMMIT was under way, so that the outcome is
 * unknown. A connection lost earlier is a rollback.
 */
export type TransactionState = 'idle' | 'open' | 'committed' | 'rolledBack' | 'broken'

export interface TransactionOptions {
  /** Where Steadfast's tables are. */
  schema: string
  /** PostgreSQL ends the session when the transaction idles for so many ms. */
  idleInTransactionTimeoutMs: number
  /**
   * PostgreSQL cancels a statement after so many ms, and the driver gives it up 5 s later, with the connection. Default:
   * the server's setting, and no bound of the driver's.
   */
  statementTimeoutMs?: number
  /** How many ms to wait for a connection. Default 10 s. */
  connectTimeoutMs?: number
  /** Told when the connection breaks while it is checked out. */
  onIdleError?: (error: Error) => void
  /** Told when the handle is used after its end. Whoever awaits that use sees the same error. */
  onLate?: (error: Error) => void
  /** Called right before COMMIT is sent, with the events in it. */
  onBeforeCommit?: (events: readonly NewEvent[]) => void
  /** Called right after COMMIT's answer. */
  onCommitted?: (events: readonly NewEvent[]) => void
}

/** One transaction, begun lazily, ended once. Statements run one after the other, in the order they were asked for. */
export interface Transaction {
  /** Steadfast's own statements bring their parsers, see `queryRows`. */
  readonly [TAKES_STATEMENTS]: true
  readonly state: TransactionState
  /** The first error that a statement, the connection or COMMIT met. */
  readonly error?: unknown
  /**
   * Runs a statement; the first one sends BEGIN. Takes (text, values) or a config object of node-postgres, so that a
   * query builder's adapter can use it as its client. SAVEPOINT and ROLLBACK TO are free; from then on events are
   * written at once instead of at the end.
   *
   * @throws SF_OUTBOX_TRANSACTION_CLOSED, SF_OUTBOX_TRANSACTION_CONTROL, SF_OUTBOX_NO_CONNECTION,
   * SF_OUTBOX_CONNECTION_LOST, SF_OUTBOX_CONFLICT, and PostgreSQL's own errors
   */
  query<R = Record<string, unknown>>(text: string | QueryConfig, values?: readonly unknown[]): Promise<QueryResult<R>>
  /** Adds an event: to be written right before COMMIT, or at once when a savepoint has been set. */
  write(event: NewEvent): Promise<void>
  /** Writes the buffered events now. */
  flush(): Promise<void>
  /**
   * Registers a function that runs inside the transaction, before the buffered events are written, in order of
   * registration. It may use {@link query} and {@link write}; when it throws, the transaction is rolled back. It is
   * given what {@link commit} was given.
   */
  beforeCommit(fn: (answer: unknown) => void | Promise<void>): void
  /**
   * The functions of {@link beforeCommit}, deferred constraints, the buffered events, COMMIT; each only if there is
   * something to do. Resolves only if PostgreSQL has committed.
   *
   * @throws SF_OUTBOX_NOT_COMMITTED, SF_OUTBOX_OUTCOME_UNKNOWN, and those of {@link query}
   */
  commit(answer?: unknown): Promise<void>
  /**
   * Idempotent; never rejects; does nothing once {@link commit} has begun. `reason`: what later uses of the handle are
   * rejected with; default SF_OUTBOX_TRANSACTION_CLOSED.
   */
  rollback(reason?: Error): Promise<void>
}

/**
 * Opens a transaction on a pool. Nothing is sent and no connection taken before the first statement or, with events
 * alone, before COMMIT.
 *
 * @throws SF_STORE_IDENTIFIER_INVALID
 */
export function openTransaction(pool: TransactionPool, options: TransactionOptions): Transaction {
  checkIdentifier('schema', options.schema)
  const session: Session = {
    pool,
    options,
    state: 'idle',
    closed: false,
    abandoned: false,
    client: undefined,
    error: undefined,
    doomed: undefined,
    unsent: undefined,
    tail: Promise.resolve(),
    pending: 0,
    buffer: [],
    written: [],
    writeThrough: false,
    savepoints: [],
    beforeCommit: [],
    ending: undefined,
    reason: undefined
  }
  return {
    [TAKES_STATEMENTS]: true,
    get state() {
      return session.state
    },
    get error() {
      return session.error ?? session.client?.lost
    },
    query: <R>(text: string | QueryConfig, values?: readonly unknown[]) =>
      run(session, text, values) as Promise<QueryResult<R>>,
    write: event => write(session, event),
    flush: () => flush(session),
    beforeCommit(fn) {
      session.beforeCommit.push(fn)
    },
    commit: answer => commit(session, answer),
    rollback: reason => rollback(session, reason)
  }
}

function write(session: Session, event: NewEvent): Promise<void> {
  if (session.closed) return refuseLate(session)
  session.buffer.push(event)
  return session.writeThrough ? flush(session) : Promise.resolve()
}
