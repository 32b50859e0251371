import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import t from 'tap'
import { freePort, launchPostgres, matchWhole } from '../src/index.ts'

async function query(url: string, text: string) {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

t.test('has the settings tests rely on, and takes others', async t => {
  const server = await launchPostgres({ settings: { fsync: 'on', max_connections: '20' } })
  t.teardown(() => server.stop())
  t.same(await query(server.url, 'show wal_level'), [{ wal_level: 'logical' }])
  t.same(await query(server.url, 'show fsync'), [{ fsync: 'on' }])
  t.same(await query(server.url, 'show max_connections'), [{ max_connections: '20' }])
  matchWhole(t, await query(server.url, 'select version()'), [{ version: /PostgreSQL 18/ }])
})

t.test('an immediate shutdown is a crash, after which the committed rows are there again', async t => {
  const server = await launchPostgres()
  const first = server.pid
  await query(server.url, 'create table thing as select 7 as id')
  const open = new pg.Client({ connectionString: server.url })
  const cut = new Promise(resolve => open.on('error', resolve))
  await open.connect()
  await open.query('begin; insert into thing values (8)')
  await server.stopImmediate()
  await cut
  await t.rejects(query(server.url, 'select 1'), { code: 'ECONNREFUSED' })
  await server.start()
  t.not(server.pid, first)
  t.strictSame(await query(server.url, 'select id from thing'), [{ id: 7 }])
  await t.rejects(server.start(), { message: 'PostgreSQL runs already' })
  await server.stop()
  t.notOk(existsSync(server.dir))
})

t.test('a directory of the caller stays, and is the same server again', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'steadfast-test-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  const port = await freePort()
  const first = await launchPostgres({ dir, port })
  await query(first.url, 'create table thing as select 7 as id')
  await first.stop()
  const second = await launchPostgres({ dir, port })
  t.equal(second.url, first.url)
  t.strictSame(await query(second.url, 'select id from thing'), [{ id: 7 }])
  await second.stop()
})

t.test('says why it cannot start, and leaves nothing', async t => {
  await t.rejects(launchPostgres({ settings: { wal_level: 'none' } }), { message: /invalid value for parameter/ })
  const server = await launchPostgres()
  t.teardown(() => server.stop())
  await t.rejects(launchPostgres({ port: server.port }), { message: /Address already in use/ })
})
