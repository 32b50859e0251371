import type { NewEvent } from '@steadfast/events'
import { storeOn } from './db.ts'
import { TransactionClosed, TransactionControl } from './errors.ts'
import { type LentClient, lendClient, type QueryConfig, type QueryResult, type TransactionPool } from './lend-client.ts'
import { asTransactionError, sqlStateOf } from './sql-state.ts'
import { type StatementKind, statementKinds } from './statement-kinds.ts'
import type { TransactionOptions, TransactionState } from './transaction.ts'
import { writeEvents } from './write-events.ts'

/** All that is known of one transaction while it lives. */
export interface Session {
  readonly pool: TransactionPool
  readonly options: TransactionOptions
  state: TransactionState
  /** The handle takes nothing any more. */
  closed: boolean
  /** What still waits for its turn shall not run. */
  abandoned: boolean
  client: LentClient | undefined
  /** The first error of a statement: the likely reason of a ROLLBACK in place of COMMIT. */
  error: unknown
  /** Why COMMIT must not happen although PostgreSQL would do it. */
  doomed: unknown
  /** A statement failed before it reached PostgreSQL, which therefore knows nothing of it. Undone by ROLLBACK TO. */
  unsent: unknown
  /** Settles when the last statement that was asked for has had its turn; never rejects. */
  tail: Promise<unknown>
  pending: number
  buffer: NewEvent[]
  written: NewEvent[]
  writeThrough: boolean
  savepoints: { name: string; written: number }[]
  beforeCommit: ((answer: unknown) => void | Promise<void>)[]
  ending: Promise<void> | undefined
  /** Why it was rolled back, for whoever uses the handle afterwards. */
  reason: Error | undefined
}

const ignore = () => {}

/** Runs work when everything asked for before it is done. A rejection nobody awaits does not end the process. */
export function inTurn<T>(session: Session, work: () => Promise<T>): Promise<T> {
  session.pending++
  const turn = session.tail
    .then(() => {
      if (session.abandoned) throw closedError(session)
      return work()
    })
    .finally(() => session.pending--)
  session.tail = turn.then(ignore, ignore)
  return turn
}

const closedError = ({ reason }: Session): Error => reason ?? new TransactionClosed()

/** The answer to whoever uses a closed handle: rejected, and reported, because perhaps nobody awaits it. */
export function refuseLate(session: Session): Promise<never> {
  const error = closedError(session)
  session.options.onLate?.(error)
  const refusal = Promise.reject(error)
  refusal.catch(ignore)
  return refusal
}

/** Takes a client and begins, the first time. A failure is final: nothing that was to be written can be. */
export async function begin(session: Session): Promise<LentClient> {
  if (session.client) return session.client
  try {
    return await attempt(session, () => takeClient(session))
  } catch (error) {
    session.doomed ??= error
    throw error
  }
}

async function takeClient(session: Session): Promise<LentClient> {
  const { options } = session
  const connectTimeoutMs = options.connectTimeoutMs ?? 10_000
  const client = await lendClient(session.pool, {
    connectTimeoutMs,
    statementTimeoutMs: options.statementTimeoutMs,
    onError: options.onIdleError
  })
  if (session.abandoned) {
    client.release()
    throw closedError(session)
  }
  session.client = client
  session.state = 'open'
  const settings = [`set local idle_in_transaction_session_timeout = ${Math.trunc(options.idleInTransactionTimeoutMs)}`]
  if (options.statementTimeoutMs !== undefined)
    settings.push(`set local statement_timeout = ${Math.trunc(options.statementTimeoutMs)}`)
  // One round trip.
  await client.query({ text: `begin; ${settings.join('; ')}`, query_timeout: connectTimeoutMs })
  return client
}

/** Runs one statement of the user's. */
export function run(session: Session, text: string | QueryConfig, values?: readonly unknown[]): Promise<QueryResult> {
  if (session.closed) return refuseLate(session)
  const kinds = statementKinds(typeof text === 'string' ? text : (text.text ?? ''))
  const control = kinds.find(k => k.kind === 'control')
  if (control) {
    session.doomed ??= new TransactionControl(control.name)
    return inTurn(session, () => Promise.reject(session.doomed))
  }
  if (kinds.length > 0) {
    session.writeThrough = true
    flush(session).catch(ignore)
  }
  return inTurn(session, async () => {
    const client = await begin(session)
    const result = await attempt(session, () => client.query(text, values))
    for (const kind of kinds) markSavepoint(session, kind)
    // Something in it (a DO block, a procedure) ended the transaction; what it stored stands without its events.
    if (client.status() === 'I') {
      session.doomed ??= new TransactionControl('A statement that ends the transaction')
      throw session.doomed
    }
    return result
  })
}

/** Writes what is buffered now, in its turn. */
export function flush(session: Session): Promise<void> {
  if (session.closed) return refuseLate(session)
  const events = session.buffer.splice(0)
  if (events.length === 0) return session.tail.then(ignore)
  return inTurn(session, async () => {
    const client = await begin(session)
    await attempt(session, () => insertEvents(session, client, events))
  })
}

/** Writes events, and remembers them as written. */
export async function insertEvents(session: Session, client: LentClient, events: NewEvent[]): Promise<void> {
  session.written.push(...(await writeEvents(storeOn(client, session.options.schema), events)))
}

/** Runs a step and, when it fails, remembers the first error and throws what the caller is to be told. */
export async function attempt<T>(session: Session, step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (error) {
    // Of a connection that ended before the statement, the server's last word says more than the driver's.
    session.error ??= sqlStateOf(error) === undefined ? (session.client?.lost ?? error) : error
    if (sqlStateOf(error) === undefined) session.unsent ??= error
    // The rollback did not wait for this statement: its connection was closed under it.
    if (session.abandoned) throw session.reason ?? Object.assign(new TransactionClosed(), { cause: error })
    throw asTransactionError(error, session.client?.lost)
  }
}

function markSavepoint(session: Session, { kind, name }: StatementKind): void {
  if (kind === 'savepoint') {
    session.savepoints.push({ name, written: session.written.length })
    return
  }
  const at = session.savepoints.findLastIndex(s => s.name === name)
  const mark = session.savepoints[at]
  session.unsent = undefined
  if (mark === undefined) return
  session.written.length = mark.written
  session.savepoints.length = at + 1
}
