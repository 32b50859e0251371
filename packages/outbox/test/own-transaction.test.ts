import { CompiledQuery, Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import t from 'tap'
import { buildApp, OrderPlaced } from './helpers/build-app.ts'
import { kyselyOn } from './kysely-on.ts'

interface Tables {
  orders: { id: string }
}

for (const end of ['commit', 'rollback'] as const) {
  const expected = end === 'commit' ? { orders: ['a'], events: ['a'] } : { orders: [], events: [] }

  t.test(`an event written in a transaction of node-postgres: ${end}`, async t => {
    const { app, stored, database } = await buildApp(t, () => {})
    const client = await database.pool.connect()
    await client.query('begin')
    await client.query("insert into orders values ('a')")
    await app.outbox.write(client, [app.outbox.prepare(OrderPlaced, { orderId: 'a' })])
    await client.query(end)
    client.release()
    t.same(await stored(), expected)
  })

  t.test(`an event written in a transaction of kysely: ${end}`, async t => {
    const { app, stored, database } = await buildApp(t, () => {})
    const pool = new pg.Pool({ connectionString: database.url })
    pool.on('error', () => {}) // the database may be dropped before it has ended
    const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
    t.teardown(() => db.destroy())
    const work = db.transaction().execute(async trx => {
      await trx.insertInto('orders').values({ id: 'a' }).execute()
      const handle = { query: (text: string, values?: unknown[]) => trx.executeQuery(CompiledQuery.raw(text, values)) }
      await app.outbox.write(handle, [app.outbox.prepare(OrderPlaced, { orderId: 'a' })])
      if (end === 'rollback') throw new Error('no')
    })
    if (end === 'rollback') await t.rejects(work, { message: 'no' })
    else await work
    t.same(await stored(), expected)
  })
}

t.test('kysely runs on request.tx', async t => {
  const { app, stored, quiet } = await buildApp(t, app => {
    app.post<{ Params: { status: string } }>('/:status', { transaction: true }, async (request, reply) => {
      const { status } = request.params
      const db = kyselyOn<Tables>(request.tx)
      const order = await db.insertInto('orders').values({ id: status }).returning('id').executeTakeFirstOrThrow()
      await reply.sendEvent(OrderPlaced, { orderId: order.id })
      return reply.code(Number(status)).send(await db.selectFrom('orders').selectAll().execute())
    })
  })
  t.equal((await app.inject({ method: 'POST', url: '/409' })).statusCode, 409)
  t.same((await app.inject({ method: 'POST', url: '/200' })).json(), [{ id: '200' }])
  t.same(await stored(), { orders: ['200'], events: ['200'] })
  await quiet()
})

t.test('config objects of node-postgres are taken, as query builders pass them', async t => {
  const { app } = await buildApp(t, app => {
    app.post('/', { transaction: true }, async request => {
      const array = await request.tx.query({ text: 'select $1::int as a, 2 as b', rowMode: 'array' }, [1])
      const named = await request.tx.query<{ n: number }>({ text: 'select $1::int as n', values: [3] })
      return [array.rows, named.rows[0]?.n]
    })
  })
  t.same((await app.inject({ method: 'POST', url: '/' })).json(), [[[1, 2]], 3])
})
