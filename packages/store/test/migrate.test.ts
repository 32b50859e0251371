import { execFile, fork } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { testDatabase, until } from '@steadfast/dev-services'
import pg from 'pg'
import t from 'tap'
import type { MigrationMessage } from '../src/channels.ts'
import { storeOn } from '../src/db.ts'
import { doctor } from '../src/schema/doctor.ts'
import { migrate, printMigrations, requireSchema } from '../src/schema/migrate.ts'
import { MIGRATIONS } from '../src/schema/migrations/index.ts'
import { receiveDelivery } from '../src/verbs/inbox/receive-delivery.ts'
import { delivery } from './deliveries.ts'
import { seedDelivery } from './seed.ts'

const all = MIGRATIONS.map(m => m.version)
const child = new URL('migrate-child.ts', import.meta.url).pathname
const schemas = `select nspname from pg_namespace where nspname = 'steadfast'`

t.test('from empty, then twice', async t => {
  const { pool } = await testDatabase(t)
  await t.rejects(requireSchema(pool), { code: 'SF_STORE_SCHEMA_OLDER', message: /steadfast migrate/ })
  const seen: unknown[] = []
  const listener = (message: unknown) => seen.push((message as MigrationMessage).version)
  subscribe('steadfast:store:migration', listener)
  t.teardown(() => unsubscribe('steadfast:store:migration', listener))
  t.same(await migrate(pool), all)
  t.same(seen, all)
  await requireSchema(pool)
  t.same(await migrate(pool), [], 'the second run does nothing')
  t.same(seen, all)
})

t.test('from empty by a pool that has one client', async t => {
  const { url } = await testDatabase(t)
  const pool = new pg.Pool({ connectionString: url, max: 1 })
  t.teardown(() => pool.end())
  t.same(await migrate(pool), all)
  t.same(await doctor(pool), [])
})

t.test('by two processes at once', async t => {
  const { url, pool } = await testDatabase(t)
  const children = [0, 1, 2].map(() => fork(child, [url], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }))
  await Promise.all(children.map(c => once(c, 'message')))
  for (const c of children) c.send('go')
  const applied = await Promise.all(children.map(async c => ((await once(c, 'message')) as [number[]])[0]))
  t.same(applied.flat().toSorted(), all, 'each step was applied by one of them')
  t.same(await doctor(pool), [])
})

t.test('a migration waits for one that is on its way', async t => {
  const { pool } = await testDatabase(t)
  const other = await pool.connect()
  t.teardown(() => other.release())
  await other.query('begin')
  await other.query('select pg_advisory_xact_lock($1)', [0x73746466])
  const waiting = migrate(pool)
  const blocked = `select 1 from pg_locks where locktype = 'advisory' and not granted`
  await until(async () => (await pool.query(blocked)).rows.length === 1, { what: 'the migration waits for the lock' })
  t.same((await pool.query(schemas)).rows, [])
  await other.query('commit')
  t.same(await waiting, all)
})

t.test('an unknown newer version is refused, saying what to do', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  await pool.query(`insert into steadfast.migration (version, name) values (999, 'from the future')`)
  const refusal = { code: 'SF_STORE_SCHEMA_NEWER', message: /at migration 999.*Upgrade the packages/ }
  await t.rejects(migrate(pool), refusal)
  await t.rejects(requireSchema(pool), refusal)
  t.equal(pool.totalCount - pool.idleCount, 0, 'no connection is kept')
})

t.test('strange schema names are refused', async t => {
  const pool = { connect: () => t.fail('must not connect') as never }
  for (const schema of [
    '',
    'x"; drop table y',
    'X',
    'a.b',
    'a b',
    'pg_temp',
    '1a',
    'a-b',
    'ä',
    'a\u0000',
    'a'.repeat(64)
  ]) {
    await t.rejects(migrate(pool, { schema }), { code: 'SF_STORE_IDENTIFIER_INVALID' }, JSON.stringify(schema))
    t.throws(() => printMigrations({ schema }), { code: 'SF_STORE_IDENTIFIER_INVALID' })
  }
})

t.test('with an empty search_path', async t => {
  const { url } = await testDatabase(t)
  const pool = new pg.Pool({ connectionString: url, options: `-c search_path=''` })
  pool.on('error', () => {})
  t.teardown(() => pool.end())
  t.same(await migrate(pool), all)
  await requireSchema(pool)
  t.same(await doctor(pool), [])
})

t.test('a crash in the middle leaves nothing', async t => {
  const { url, pool } = await testDatabase(t)
  const dying = fork(child, [url, 'crash'])
  const [, signal] = await once(dying, 'exit')
  t.equal(signal, 'SIGKILL')
  t.same(await migrate(pool), all, 'the next one begins anew')
  t.same(await doctor(pool), [])
})

t.test('a step that fails leaves nothing', async t => {
  const { pool } = await testDatabase(t)
  await pool.query('create schema steadfast; create table steadfast.relay (mine int)')
  await t.rejects(migrate(pool), { code: '42P07' })
  t.same((await pool.query(`select tablename from pg_tables where schemaname = 'steadfast'`)).rows, [
    { tablename: 'relay' }
  ])
})

t.test('a role that owns nothing but the schema can migrate; one that only reads finds nothing to do', async t => {
  const { pool, url } = await testDatabase(t)
  const owner = `owner_${process.pid}`
  await pool.query(`create role ${owner} login; create schema steadfast authorization ${owner}`)
  const own = new pg.Pool({ connectionString: url.replace('postgres@', `${owner}@`) })
  own.on('error', () => {})
  t.teardown(async () => {
    await own.end()
    await pool.query(`drop owned by ${owner} cascade; drop role ${owner}`)
  })
  t.same(await migrate(own), all)
  t.same(await migrate(own), [])
  await pool.query(`alter schema steadfast owner to postgres; grant usage on schema steadfast to ${owner}`)
  t.same(await migrate(own), [])
})

t.test('printed migrations do the same', async t => {
  const { pool } = await testDatabase(t)
  await pool.query(printMigrations())
  t.same(await doctor(pool), [])
  t.same(await migrate(pool), [])
  t.equal(printMigrations({ from: all.at(-1) ?? 0 }), '')
  const cli = new URL('../src/cli.ts', import.meta.url).pathname
  const { stdout } = await promisify(execFile)(process.execPath, [cli, 'print', '--schema', 'other'])
  await pool.query(stdout)
  t.same(await doctor(pool, { schema: 'other' }), [])
})

t.test('deliveries that wait keep waiting through the change of the unit of order', async t => {
  const { pool } = await testDatabase(t)
  const [first] = MIGRATIONS
  if (first === undefined || !('sql' in first)) throw new Error('the first step makes the tables')
  await pool.query(`create schema steadfast; ${first.sql('steadfast')};
    create table steadfast.migration (version integer primary key, name text not null, applied_at timestamptz not null default clock_timestamp());
    insert into steadfast.migration (version, name) values (1, 'tables')`)
  await seedDelivery(pool, { state: 'HELD' })
  t.same(await migrate(pool), all.slice(1))
  t.same(await doctor(pool), [])
  t.notOk(await receiveDelivery(storeOn(pool), delivery(), 100))
})
