import { NotCommitted, OutcomeUnknown, TransactionClosed } from './errors.ts'
import { type LentClient, REACH_MS } from './lend-client.ts'
import { asTransactionError, sqlStateOf } from './sql-state.ts'
import { attempt, begin, insertEvents, type Session } from './transaction-session.ts'

/** How long a rollback waits for a statement that is still running before it gives the connection up. */
const ROLLBACK_GRACE_MS = 250

/** See {@link Transaction.commit}. Called twice, it answers the same. */
export function commit(session: Session, answer: unknown): Promise<void> {
  if (session.ending === undefined) {
    session.ending = finish(session, answer)
    return session.ending
  }
  return session.ending.then(() => {
    if (session.state !== 'committed') throw new TransactionClosed()
  })
}

/** See {@link Transaction.rollback}. While COMMIT is under way it waits for that, and changes nothing. */
export function rollback(session: Session, reason?: Error): Promise<void> {
  if (session.ending === undefined) session.reason = reason
  session.ending ??= giveUp(session)
  return session.ending.catch(() => {})
}

async function finish(session: Session, answer: unknown): Promise<void> {
  let client: LentClient | undefined
  try {
    // By index: a function may register another one.
    for (let i = 0; i < session.beforeCommit.length; i++) await session.beforeCommit[i]?.(answer)
    session.closed = true
    await session.tail
    if (session.doomed !== undefined) throw session.doomed
    if (session.buffer.length > 0) await begin(session)
    client = session.client
    if (client) await writeLast(session, client)
  } catch (error) {
    await giveUp(session)
    // "Current transaction is aborted": a statement had failed before, and its error was swallowed.
    throw sqlStateOf(error) === '25P02' ? notCommitted(session) : error
  }
  if (client) await sendCommit(session, client)
  else session.state = 'committed'
  session.options.onCommitted?.(session.written)
}

async function writeLast(session: Session, client: LentClient): Promise<void> {
  if (client.lost) throw asTransactionError(client.lost, client.lost)
  if (client.status() === 'E' || session.unsent !== undefined) throw notCommitted(session)
  if (session.buffer.length === 0) return
  // What is checked at COMMIT fails here instead, as an ordinary error, and before an event has its place in the order.
  await attempt(session, () => client.query('set constraints all immediate'))
  await attempt(session, () => insertEvents(session, client, session.buffer.splice(0)))
}

async function sendCommit(session: Session, client: LentClient): Promise<void> {
  let command: string
  try {
    session.options.onBeforeCommit?.(session.written)
    command = (await client.query('commit')).command
  } catch (error) {
    session.error ??= error
    // An ordinary error of the server is a definite answer: rolled back. A lost connection is none.
    if (client.lost === undefined && sqlStateOf(error) !== undefined) {
      session.state = 'rolledBack'
      client.release()
      throw asTransactionError(error, undefined)
    }
    session.state = 'broken'
    client.release(true)
    throw Object.assign(new OutcomeUnknown((error as Error).message), { cause: error })
  }
  session.state = command === 'COMMIT' ? 'committed' : 'rolledBack'
  client.release()
  if (command !== 'COMMIT') throw notCommitted(session)
}

/** Rolls back and gives the client back. A statement still running gets a moment, then the connection goes with it. */
async function giveUp(session: Session): Promise<void> {
  session.closed = session.abandoned = true
  session.buffer.length = 0
  const quiet = session.pending === 0 || (await settlesWithin(session.tail, ROLLBACK_GRACE_MS))
  session.state = 'rolledBack'
  const { client } = session
  if (!client) return
  if (!quiet || client.lost) return client.release(true)
  try {
    await client.query({ text: 'rollback', query_timeout: REACH_MS })
    client.release(client.status() === 'T' || client.status() === 'E')
  } catch {
    client.release(true)
  }
}

async function settlesWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const grace = new Promise<boolean>(resolve => {
    timer = setTimeout(resolve, ms, false)
  })
  try {
    return await Promise.race([work.then(() => true), grace])
  } finally {
    clearTimeout(timer)
  }
}

function notCommitted(session: Session): Error {
  return Object.assign(new NotCommitted(), { cause: session.error })
}
