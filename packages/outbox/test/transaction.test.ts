import { testDatabase } from '@steadfast/dev-services'
import { buildEvent, defineEvent } from '@steadfast/events'
import { migrate } from '@steadfast/store'
import { type LendingPool, type QueryConfig, sqlStateOf, storeOn } from '@steadfast/store/internal'
import pg from 'pg'
import t from 'tap'
import { Type } from 'typebox'
import { openTransaction } from '../src/transaction.ts'

const options = { schema: 'steadfast', idleInTransactionTimeoutMs: 10_000, statementTimeoutMs: 5000 }
const Said = defineEvent({ type: 'test.said', topic: 'test', data: Type.Object({}) })
const said = () => buildEvent(Said, {}, { source: 'test' })

async function database(t: Parameters<typeof testDatabase>[0]): Promise<pg.Pool> {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  await pool.query('create table item (n integer)')
  return pool
}

/** The pool, with clients that can do no more than they must, and each statement told. */
function listening(pool: pg.Pool, tell: (text: string) => void): LendingPool {
  return {
    async connect() {
      const client = await pool.connect()
      return {
        query(statement: string | QueryConfig, values?: unknown[]) {
          tell(typeof statement === 'string' ? statement : statement.text)
          return client.query(statement as string, values)
        },
        on: (event: 'error', listener: (error: Error) => void) => client.on(event, listener),
        removeListener: (event: 'error', listener: (error: Error) => void) => client.removeListener(event, listener),
        release: client.release
      }
    }
  }
}

t.test('states', async t => {
  const pool = await database(t)
  const idle = openTransaction(pool, options)
  t.equal(idle.phase, 'idle')
  await idle.commit()
  t.equal(idle.phase, 'committed', 'nothing to do')

  const tx = openTransaction(pool, options)
  await tx.query('insert into item values (1)')
  t.equal(tx.phase, 'open')
  t.equal(pool.idleCount, pool.totalCount - 1)
  await tx.commit()
  await tx.commit()
  await tx.rollback()
  t.equal(tx.phase, 'committed', 'ended once')
  t.equal(pool.idleCount, pool.totalCount)

  const back = openTransaction(pool, options)
  await back.query('insert into item values (2)')
  await back.rollback()
  await back.rollback()
  t.equal(back.phase, 'rolledBack')
  await t.rejects(back.commit(), { code: 'SF_OUTBOX_TRANSACTION_CLOSED' })
  await t.rejects(back.write(said()), { code: 'SF_OUTBOX_TRANSACTION_CLOSED' })
  t.same((await pool.query('select n from item')).rows, [{ n: 1 }])
})

t.test('settings hold for the transaction alone', async t => {
  const pool = await database(t)
  const tx = openTransaction(pool, options)
  const show = `select current_setting('idle_in_transaction_session_timeout') as idle, current_setting('statement_timeout') as statement`
  t.same((await tx.query(show)).rows, [{ idle: '10s', statement: '5s' }])
  await tx.commit()
  t.same((await pool.query(show)).rows, [{ idle: '0', statement: '0' }])
})

t.test('COMMIT answered by ROLLBACK is a failure, though nothing else tells', async t => {
  const pool = await database(t)
  // As node-postgres before 8.23: the state of the transaction is not known.
  const blind = listening(pool, () => {})
  const tx = openTransaction(blind, options)
  await tx.query('insert into item values (1)')
  await t.rejects(tx.query('select 1/0'), { code: '22012' })
  await t.rejects(tx.commit(), { code: 'SF_OUTBOX_NOT_COMMITTED', cause: { code: '22012' } })
  t.equal(tx.phase, 'rolledBack')
  t.match(tx.error, { code: '22012' })
  t.equal((await pool.query('select 1 from item')).rowCount, 0)
  t.equal(pool.idleCount, pool.totalCount)
})

t.test('deferred constraints are checked before an event takes its place in the order', async t => {
  const pool = await database(t)
  await pool.query('alter table item add unique (n) deferrable initially deferred')
  const failing = openTransaction(pool, options)
  await failing.query('insert into item values (1), (1)')
  await failing.write(said())
  await t.rejects(failing.commit(), { code: '23505' })
  const tx = openTransaction(pool, options)
  await tx.write(said())
  await tx.commit()
  t.same((await pool.query('select seq from steadfast.event')).rows, [{ seq: '1' }])
})

t.test('events are written last, in one statement, in the order they were sent; flush writes them early', async t => {
  const pool = await database(t)
  const statements: string[] = []
  const log = listening(pool, text => statements.push(text.trim().split(/\s+/).slice(0, 2).join(' ')))
  const events = [said(), said(), said()]
  const tx = openTransaction(log, options)
  const [first, second, third] = events
  if (!first || !second || !third) return
  await tx.write(first)
  await tx.query('insert into item values (1)')
  await tx.write(second)
  await tx.commit()
  t.same(statements, ['begin; set', 'insert into', 'set constraints', 'with given', 'commit'])
  statements.length = 0
  const early = openTransaction(log, options)
  await early.write(third)
  await early.flush()
  t.same(statements, ['begin; set', 'with given'])
  await early.commit()
  const { rows } = await pool.query('select id from steadfast.event order by seq')
  t.same(
    rows.map(r => r.id),
    events.map(e => e.id)
  )
})

t.test('what PostgreSQL said when it ended an idle session is remembered, not what the driver says later', async t => {
  const pool = await database(t)
  pool.on('connect', client => client.on('error', () => {}))
  let lost = () => {}
  const ended = new Promise<void>(resolve => {
    lost = resolve
  })
  const tx = openTransaction(pool, { ...options, idleInTransactionTimeoutMs: 20, onIdleError: () => lost() })
  await tx.query('insert into item values (1)')
  await ended
  await t.rejects(tx.query('select 1'), { code: 'SF_OUTBOX_CONNECTION_LOST' })
  t.equal(sqlStateOf(tx.error), '25P03')
  await tx.rollback()
})

t.test('parsers of the host reach the statements of a handler, and none of the store', async t => {
  const { url } = await testDatabase(t)
  const asHost = (text: string) => ({ host: text })
  const pool = new pg.Pool({ connectionString: url, types: { getTypeParser: () => asHost } as pg.CustomTypesConfig })
  t.teardown(() => pool.end())
  const tx = openTransaction(pool, options)
  t.same((await tx.query('select 1 as n')).rows, [{ n: { host: '1' } }])
  t.same(await storeOn(tx as never).rows('select 1 as n'), [{ n: 1 }])
  await tx.commit()
})
