import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { startProxy, type TcpProxy, until } from '@steadfast/dev-services'
import t from 'tap'
import { buildApp, placeOrder } from './helpers/build-app.ts'

const nothing = { orders: [], events: [] }

t.test('a backend killed mid-request: 503, nothing stored, the process lives, the next request works', async t => {
  const { app, stored, quiet, database } = await buildApp(
    t,
    app => {
      app.post<{ Querystring: { after?: string } }>('/', { transaction: true }, async (request, reply) => {
        await placeOrder(request, reply, 'a')
        const { rows } = await request.tx.query<{ pid: number }>('select pg_backend_pid() as pid')
        if (request.query.after === 'statement') {
          // Dies within its own statement.
          await request.tx.query('select pg_terminate_backend(pg_backend_pid())')
        } else {
          await database.pool.query('select pg_terminate_backend($1)', [rows[0]?.pid])
          await until(async () => {
            const left = await database.pool.query('select 1 from pg_stat_activity where pid = $1', [rows[0]?.pid])
            return left.rowCount === 0
          })
        }
        return 'ok'
      })
      app.post('/good', { transaction: true }, async (request, reply) => {
        await placeOrder(request, reply, 'good')
        return 'ok'
      })
    },
    { pool: { max: 1 } }
  )
  for (const url of ['/', '/?after=statement']) {
    const response = await app.inject({ method: 'POST', url })
    t.equal(response.statusCode, 503)
    t.equal(response.json().code, 'SF_OUTBOX_CONNECTION_LOST')
    t.equal(response.headers['retry-after'], '1')
    t.same(await stored(), nothing)
  }
  t.equal((await app.inject({ method: 'POST', url: '/good' })).statusCode, 200)
  t.same(await stored(), { orders: ['good'], events: ['good'] })
  await quiet()
})

// pgbouncer stands between: it replaces a dead server connection, and the client's lives on.
const behindPgbouncer = process.env.TEST_PGBOUNCER_PORT !== undefined
t.test('an idle connection that is killed does not end the process', { skip: behindPgbouncer }, async t => {
  const { app, database, stored } = await buildApp(t, app => {
    app.post('/', { transaction: true }, async (request, reply) => {
      await placeOrder(request, reply, 'a')
      return 'ok'
    })
  })
  await database.pool.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()'
  )
  await until(() => app.pg.pool.totalCount === 0, { what: 'the loss to be noticed' })
  t.equal((await app.inject({ method: 'POST', url: '/' })).statusCode, 200)
  t.same(await stored(), { orders: ['a'], events: ['a'] })
})

t.test("COMMIT's answer lost: the outcome is said to be unknown, and both are there or neither", async t => {
  let proxy!: TcpProxy
  const { app, stored, quiet } = await buildApp(
    t,
    app => {
      app.post<{ Params: { id: string } }>('/:id', { transaction: true }, async (request, reply) => {
        await placeOrder(request, reply, request.params.id)
        return 'ok'
      })
    },
    {
      async through(port) {
        proxy = await startProxy({ targetPort: port })
        return proxy.port
      }
    }
  )
  t.teardown(() => proxy.close())
  const dropAnswer = () => proxy.blackhole('to-client')
  subscribe('steadfast:outbox:before-commit', dropAnswer)
  t.teardown(() => unsubscribe('steadfast:outbox:before-commit', dropAnswer))
  const answer = app.inject({ method: 'POST', url: '/a' })
  await until(async () => (await stored()).orders.length === 1, { what: 'the row, committed unheard' })
  await proxy.cut()
  const response = await answer
  t.equal(response.statusCode, 500)
  t.equal(response.json().code, 'SF_OUTBOX_OUTCOME_UNKNOWN')
  t.same(await stored(), { orders: ['a'], events: ['a'] })
  unsubscribe('steadfast:outbox:before-commit', dropAnswer)
  await proxy.restore()
  t.equal((await app.inject({ method: 'POST', url: '/b' })).statusCode, 200)
  t.same(await stored(), { orders: ['a', 'b'], events: ['a', 'b'] })
  await quiet()
})
