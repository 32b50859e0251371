import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { type Teardown, testDatabase, until } from '@steadfast/dev-services'
import pg from 'pg'
import t from 'tap'
import { migrate } from '../src/index.ts'
import { guardPool, shortTransaction } from '../src/internal.ts'

/** Holds back what the server says from now on, and passes it on as one piece. */
async function startHoldingProxy(t: Teardown, target: URL) {
  const sockets: Socket[] = []
  const held: Buffer[] = []
  let client: Socket | undefined
  const server = createServer(socket => {
    client = socket
    const upstream = connect(Number(target.port), target.hostname)
    sockets.push(socket, upstream)
    for (const one of [socket, upstream]) one.on('error', () => {})
    socket.pipe(upstream)
    upstream.on('data', data => held.push(data))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as { port: number }
  return {
    url: Object.assign(new URL(target), { host: `127.0.0.1:${port}` }).href,
    said: () => Buffer.concat(held).toString('latin1'),
    pass: () => client?.end(Buffer.concat(held))
  }
}

/** A pool whose first connection becomes ready and is ended by the server in the same packet. */
async function dyingPool(t: Teardown, name: string) {
  const { pool: admin, url } = await testDatabase(t)
  const proxy = await startHoldingProxy(t, new URL(url))
  const pool = new pg.Pool({ connectionString: proxy.url, application_name: name })
  pool.on('error', () => {})
  t.teardown(() => pool.end())
  const die = async () => {
    await until(async () => {
      const sql = 'select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1'
      return (await admin.query(sql, [name])).rowCount === 1
    })
    await until(() => proxy.said().includes('administrator command'))
    proxy.pass()
  }
  return { pool, die }
}

t.test('a connection that ends in the moment it is handed over fails its user, and not the process', async t => {
  const { pool, die } = await dyingPool(t, 'handed-over')
  guardPool(pool)
  guardPool(pool)
  const dead = die()
  const client = await pool.connect()
  t.equal(client.listenerCount('error'), 1, 'one listener, however often it is asked for')
  await t.rejects(client.query('select 1'))
  client.release(true)
  await dead
})

t.test('so do a transaction and a migration', async t => {
  const { pool, die } = await dyingPool(t, 'transaction')
  const dead = die()
  const lost = { code: 'SF_STORE_CONNECTION_LOST', statusCode: 503 }
  await t.rejects(
    shortTransaction(pool, 'steadfast', { statementTimeoutMs: 10_000 }, async () => {}),
    lost
  )
  await dead
  const next = await dyingPool(t, 'migration')
  const again = next.die()
  await t.rejects(migrate(next.pool))
  await again
})
