import { until } from '@steadfast/dev-services'
import t from 'tap'
import { buildApp, OrderPlaced, placeOrder } from './helpers/build-app.ts'

// pgbouncer stands between, and keeps its own connections to the server, read-only ones among them.
const behindPgbouncer = process.env.TEST_PGBOUNCER_PORT !== undefined

t.test(
  'a connection to a node that became read-only: 503, and later requests have others',
  { skip: behindPgbouncer },
  async t => {
    const { app, stored, quiet, database } = await buildApp(
      t,
      app => {
        app.post<{ Params: { id: string } }>('/:id', { transaction: true }, async (request, reply) => {
          await placeOrder(request, reply, request.params.id)
          return 'ok'
        })
        app.post('/event-only/:id', { transaction: true }, async (_, reply) => {
          await reply.sendEvent(OrderPlaced, { orderId: 'x' })
          return 'ok'
        })
      },
      { pool: { max: 1 } }
    )
    const pool = database.pool
    const { rows } = await pool.query('select current_database() as name')
    const becomes = async (setting: string) => {
      await pool.query(`alter database "${rows[0].name}" ${setting}`)
    }
    const others = 'datname = current_database() and pid <> pg_backend_pid()'
    for (const url of ['/a', '/event-only/a']) {
      // A session keeps what it found when it began, as one with a node that was demoted stays with that node.
      await becomes('set default_transaction_read_only = on')
      await pool.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${others}`)
      await until(() => app.pg.pool.totalCount === 0, { what: 'the loss to be noticed' })
      const response = await app.inject({ method: 'POST', url })
      t.equal(response.statusCode, 503)
      t.equal(response.json().code, 'SF_OUTBOX_CONNECTION_LOST')
      t.equal(response.headers['retry-after'], '1')
      await becomes('reset default_transaction_read_only')
      t.equal(
        (await app.inject({ method: 'POST', url: `/after-${url.length}` })).statusCode,
        200,
        'on a new connection'
      )
    }
    t.same(await stored(), { orders: ['after-13', 'after-2'], events: ['after-13', 'after-2'] })
    await quiet()
  }
)
