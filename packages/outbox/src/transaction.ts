import type { NewEvent } from '@steadfast/events'
import { TAKES_STATEMENTS } from '@steadfast/events/postgres'
import { serialQueue, settlesWithin } from '@steadfast/events/runtime'
import {
  checkIdentifier,
  endsConnection,
  type LendingPool,
  type LentClient,
  lendClient,
  type QueryConfig,
  type QueryResult,
  REACH_MS,
  sqlStateOf,
  storeOn,
  writeEvents
} from '@steadfast/store/internal'
import {
  ConnectionLost,
  NoConnection,
  NotCommitted,
  OutcomeUnknown,
  TransactionClosed,
  TransactionConflict,
  TransactionControl
} from './errors.ts'
import { type StatementKind, statementKinds } from './statement-kinds.ts'

/**
 * A transaction is begun lazily and ended once.
 *
 *            first statement            commit()              COMMIT
 *     idle ──────────────────► open ──────────────► committing ─────► committed
 *      │                         │                   │   │   │
 *      │ rollback()   rollback() │   a failure before│   │   │ its connection is lost during COMMIT
 *      │                         ▼            COMMIT ▼   │   ▼
 *      └──────────────────► rollingBack ◄────────────┘   │ unknown
 *                                │                       │ COMMIT is answered by ROLLBACK
 *                                ▼                       ▼
 *                            rolledBack ◄────────────────┘
 *
 * `idle`: nothing has been sent, and an end sends nothing. `open`: BEGIN has been sent. `committing`: takes nothing new;
 * what was asked for before still runs, then the buffered events and COMMIT. `rollingBack`: takes nothing new, and what
 * has not begun does not run. `unknown`: nobody here knows whether it was stored; a connection that is lost before
 * COMMIT is a rollback.
 */
export type Phase = 'idle' | 'open' | 'committing' | 'committed' | 'rollingBack' | 'rolledBack' | 'unknown'

const NEXT: Readonly<Record<Phase, readonly Phase[]>> = {
  idle: ['open', 'committing', 'rollingBack'],
  open: ['committing', 'rollingBack'],
  committing: ['committed', 'rollingBack', 'rolledBack', 'unknown'],
  committed: [],
  rollingBack: ['rolledBack'],
  rolledBack: [],
  unknown: []
}

export interface TransactionOptions {
  /** Where Steadfast's tables are. */
  schema: string
  /** PostgreSQL ends the session when the transaction idles for so many ms. Default: the role's setting. */
  idleInTransactionTimeoutMs?: number | undefined
  /** PostgreSQL cancels a statement after so many ms. Default: the role's setting. */
  statementTimeoutMs?: number | undefined
  /** The driver gives a statement up after so many ms, with the connection. Default: never. */
  queryTimeoutMs?: number | undefined
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

/** One transaction. Statements run one after the other, in the order they were asked for. */
export interface Transaction {
  /** Steadfast's own statements bring their parsers, see `queryRows`. */
  readonly [TAKES_STATEMENTS]: true
  readonly phase: Phase
  /** The first error that a statement, the connection or COMMIT met. */
  readonly error: unknown
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
  /** An event was refused before it could be written: COMMIT fails by this error, unless a ROLLBACK TO undoes it. */
  refuse(error: unknown): void
  /** Writes the buffered events now. */
  flush(): Promise<void>
  /** Rejects, and reports, a use after the end. `undefined` while there is none. */
  refuseLate(): Promise<never> | undefined
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

/** How long a rollback waits for a statement that is still running before it gives the connection up. */
const ROLLBACK_GRACE_MS = 250

/**
 * Opens a transaction on a pool. Nothing is sent and no connection taken before the first statement or, with events
 * alone, before COMMIT.
 *
 * @throws SF_STORE_IDENTIFIER_INVALID
 */
export function openTransaction(pool: LendingPool, options: TransactionOptions): Transaction {
  checkIdentifier('schema', options.schema)
  const { connectTimeoutMs = 10_000, queryTimeoutMs } = options
  const begins = ['begin', ...settingsOf(options)].join('; ')
  const queue = serialQueue()
  const buffer: NewEvent[] = []
  const written: NewEvent[] = []
  const beforeCommit: ((answer: unknown) => void | Promise<void>)[] = []
  /** Absent until there is one: from then on events are written at once. */
  let savepoints: { name: string; written: number }[] | undefined
  let phase: Phase = 'idle'
  let client: LentClient | undefined
  let ending: Promise<void> | undefined
  /** The likely reason of a ROLLBACK in place of COMMIT. */
  let firstError: unknown
  /** Why COMMIT must not be sent although PostgreSQL would do it: for good, or until ROLLBACK TO undoes it. */
  let veto: unknown
  let refused: unknown
  /** A statement failed before it reached PostgreSQL, which therefore knows nothing of it. Undone by ROLLBACK TO. */
  let unsent: unknown
  /** Why it was rolled back, for whoever uses the handle afterwards. */
  let reason: Error | undefined

  function enter(next: Phase): void {
    if (!NEXT[phase].includes(next)) throw new Error(`a transaction went from ${phase} to ${next}`)
    phase = next
  }
  const takesMore = () => phase === 'idle' || phase === 'open'
  const mayRun = () => takesMore() || phase === 'committing'
  const closedError = () => reason ?? new TransactionClosed()

  /** Runs work when everything asked for before it is done. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> =>
    queue.run(async () => {
      if (!mayRun()) throw closedError()
      return await work()
    })

  /** Runs a step and, when it fails, remembers the first error and throws what the caller is to be told. */
  async function attempt<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step()
    } catch (error) {
      const isAnswer = sqlStateOf(error) !== undefined
      // Of a connection that ended before the statement, the server's last word says more than the driver's.
      firstError ??= isAnswer ? error : (client?.lost ?? error)
      if (!isAnswer) unsent ??= error
      // The rollback did not wait for this statement: its connection was closed under it.
      if (!mayRun()) throw reason ?? Object.assign(new TransactionClosed(), { cause: error })
      throw asTransactionError(error, client?.lost)
    }
  }

  /** Takes a client and begins, the first time. A failure is final: nothing that was to be written can be. */
  async function begin(): Promise<LentClient> {
    if (client !== undefined) return client
    try {
      return await attempt(takeClient)
    } catch (error) {
      veto ??= error
      throw error
    }
  }

  async function takeClient(): Promise<LentClient> {
    const lent = await lendClient(pool, { connectTimeoutMs, queryTimeoutMs, onError: options.onIdleError })
    if (!mayRun()) {
      lent.release()
      throw closedError()
    }
    client = lent
    if (phase === 'idle') enter('open')
    // One round trip.
    await lent.query({ text: begins, query_timeout: connectTimeoutMs })
    return lent
  }

  function query(text: string | QueryConfig, values?: readonly unknown[]): Promise<QueryResult> {
    if (!takesMore()) return late()
    const kinds = statementKinds(typeof text === 'string' ? text : (text.text ?? ''))
    const control = kinds.find(({ kind }) => kind === 'control')
    if (control !== undefined) {
      veto ??= new TransactionControl(control.name)
      return inTurn(() => Promise.reject(veto))
    }
    if (kinds.length > 0) {
      savepoints ??= []
      flush().catch(ignore)
    }
    return inTurn(async () => {
      const lent = await begin()
      const result = await attempt(() => lent.query(text, values))
      for (const kind of kinds) mark(kind)
      // Something in it (a DO block, a procedure) ended the transaction; what it stored stands without its events.
      if (lent.status() === 'I') {
        veto ??= new TransactionControl('A statement that ends the transaction')
        throw veto
      }
      return result
    })
  }

  function mark({ kind, name }: StatementKind): void {
    savepoints ??= []
    if (kind === 'savepoint') {
      savepoints.push({ name, written: written.length })
      return
    }
    const at = savepoints.findLastIndex(savepoint => savepoint.name === name)
    const before = savepoints[at]
    unsent = refused = undefined
    if (before === undefined) return
    written.length = before.written
    savepoints.length = at + 1
  }

  function write(event: NewEvent): Promise<void> {
    if (!takesMore()) return late()
    buffer.push(event)
    return savepoints === undefined ? Promise.resolve() : flush()
  }

  function flush(): Promise<void> {
    if (!takesMore()) return late()
    const events = buffer.splice(0)
    if (events.length === 0) return queue.idle()
    return inTurn(async () => {
      const lent = await begin()
      await attempt(() => insert(lent, events))
    })
  }

  async function insert(lent: LentClient, events: NewEvent[]): Promise<void> {
    written.push(...(await writeEvents(storeOn(lent, options.schema), events)))
  }

  /** The answer to whoever uses a closed handle: rejected, and reported, because perhaps nobody awaits it. */
  function late(): Promise<never> {
    const error = closedError()
    options.onLate?.(error)
    const refusal = Promise.reject(error)
    refusal.catch(ignore)
    return refusal
  }

  async function finish(answer: unknown): Promise<void> {
    try {
      // By index: a function may register another one.
      for (let i = 0; i < beforeCommit.length; i++) await beforeCommit[i]?.(answer)
      enter('committing')
      await queue.idle()
      const against = veto ?? refused
      if (against !== undefined) throw against
      if (buffer.length > 0) await begin()
      if (client !== undefined) await writeLast(client)
    } catch (error) {
      await giveUp()
      // "Current transaction is aborted": a statement had failed before, and its error was swallowed.
      throw sqlStateOf(error) === '25P02' ? notCommitted() : error
    }
    if (client !== undefined) await sendCommit(client)
    else enter('committed')
    options.onCommitted?.(written)
  }

  async function writeLast(lent: LentClient): Promise<void> {
    if (lent.lost) throw asTransactionError(lent.lost, lent.lost)
    if (lent.status() === 'E' || unsent !== undefined) throw notCommitted()
    if (buffer.length === 0) return
    // What is checked at COMMIT fails here instead, as an ordinary error, and before an event has its place in the order.
    await attempt(() => lent.query('set constraints all immediate'))
    await attempt(() => insert(lent, buffer.splice(0)))
  }

  async function sendCommit(lent: LentClient): Promise<void> {
    let command: string
    try {
      options.onBeforeCommit?.(written)
      command = (await lent.query('commit')).command
    } catch (error) {
      firstError ??= error
      // An ordinary error of the server is a definite answer: rolled back. A lost connection is none.
      if (lent.lost === undefined && sqlStateOf(error) !== undefined) {
        enter('rolledBack')
        lent.release()
        throw asTransactionError(error, undefined)
      }
      enter('unknown')
      lent.release(true)
      throw Object.assign(new OutcomeUnknown((error as Error).message), { cause: error })
    }
    enter(command === 'COMMIT' ? 'committed' : 'rolledBack')
    lent.release()
    if (command !== 'COMMIT') throw notCommitted()
  }

  /** Rolls back and gives the client back. A statement still running gets a moment, then the connection goes with it. */
  async function giveUp(): Promise<void> {
    enter('rollingBack')
    buffer.length = 0
    const isQuiet = queue.pending === 0 || (await settlesWithin(queue.idle(), ROLLBACK_GRACE_MS))
    enter('rolledBack')
    if (client === undefined) return
    if (!isQuiet || client.lost) return client.release(true)
    try {
      await client.query({ text: 'rollback', query_timeout: REACH_MS })
      client.release(client.status() === 'T' || client.status() === 'E')
    } catch {
      client.release(true)
    }
  }

  const notCommitted = (): Error => Object.assign(new NotCommitted(), { cause: firstError })

  return {
    [TAKES_STATEMENTS]: true,
    get phase() {
      return phase
    },
    get error() {
      return firstError ?? client?.lost
    },
    query: <R>(text: string | QueryConfig, values?: readonly unknown[]) =>
      query(text, values) as Promise<QueryResult<R>>,
    write,
    refuse(error) {
      refused ??= error
    },
    flush,
    refuseLate: () => (takesMore() ? undefined : late()),
    beforeCommit(fn) {
      beforeCommit.push(fn)
    },
    commit(answer) {
      if (ending === undefined) {
        ending = finish(answer)
        return ending
      }
      return ending.then(() => {
        if (phase !== 'committed') throw new TransactionClosed()
      })
    },
    rollback(why) {
      if (ending === undefined) reason = why
      ending ??= giveUp()
      return ending.catch(ignore)
    }
  }
}

/** Only what was asked for: a database's owner may have set stricter limits for the role. */
function settingsOf({ idleInTransactionTimeoutMs, statementTimeoutMs }: TransactionOptions): string[] {
  const set = (name: string, ms: number | undefined) =>
    ms === undefined ? [] : [`set local ${name} = ${Math.trunc(ms)}`]
  return [
    ...set('idle_in_transaction_session_timeout', idleInTransactionTimeoutMs),
    ...set('statement_timeout', statementTimeoutMs)
  ]
}

/** Whether it has ended, so that nothing more can be done to it. */
export const hasEnded = ({ phase }: Pick<Transaction, 'phase'>): boolean =>
  phase === 'committed' || phase === 'rolledBack' || phase === 'unknown'

/**
 * What the caller is told: SF_OUTBOX_CONFLICT for 40001 and 40P01, SF_OUTBOX_NO_CONNECTION, SF_OUTBOX_CONNECTION_LOST
 * for a dead connection, every other error as it is.
 */
function asTransactionError(error: unknown, lost: Error | undefined): unknown {
  const state = sqlStateOf(error)
  if (state === '40001' || state === '40P01') return retryLater(new TransactionConflict(state), error)
  if ((error as { code?: unknown }).code === 'SF_STORE_NO_CONNECTION') {
    const { cause } = error as Error
    return retryLater(new NoConnection((cause as Error).message || (cause as { code?: string }).code), cause)
  }
  const reason = lost ?? (endsConnection(error) ? (error as Error) : undefined)
  return reason === undefined ? error : retryLater(new ConnectionLost(reason.message), reason)
}

/** Adds what an HTTP client needs to know: Fastify's error handler sends `headers` along. */
const retryLater = <E extends Error>(error: E, cause: unknown): E =>
  Object.assign(error, { cause, headers: { 'retry-after': '1' } })

function ignore() {}
