import { fork } from 'node:child_process'
import { once } from 'node:events'
import { testDatabase, until } from '@steadfast/dev-services'
import { runMigrations } from '@steadfast/events/migrations'
import pg from 'pg'
import t from 'tap'
import { lendFrom, migrate } from '../src/schema/migrate.ts'
import { IMPATIENT, later, NEXT } from './later-steps.ts'
import { seedMany } from './schema-check.ts'

const child = new URL('migrate-child.ts', import.meta.url).pathname

const builder = `select pid from pg_stat_activity where datname = current_database() and query like 'create index concurrently event_correlated%' and wait_event_type = 'Lock'`
const state = `select x.indisvalid as valid from pg_index x where x.indexrelid = to_regclass('steadfast.event_correlated')`
const others = `select 1 from pg_locks where locktype = 'advisory' and granted
  and database = (select oid from pg_database where datname = current_database())`
const indexes = async (pool: pg.Pool) =>
  (
    await pool.query(
      `select indexname as name from pg_indexes where indexname in ('event_correlated', 'event_caused') order by 1`
    )
  ).rows

/** An older transaction that has written to the table, for which CREATE INDEX CONCURRENTLY waits. */
async function olderTransaction(
  t: { teardown(work: () => unknown): void },
  pool: pg.Pool
): Promise<() => Promise<void>> {
  const client = await pool.connect()
  let open = true
  const end = async () => {
    if (!open) return
    open = false
    await client.query('commit')
    client.release()
  }
  t.teardown(end)
  await client.query('begin; delete from steadfast.event where id is null')
  return end
}

async function prepare(t: Parameters<typeof testDatabase>[0]) {
  const database = await testDatabase(t)
  await migrate(database.pool)
  await seedMany(database.pool, 2000, 100)
  return database
}

const building = async (pool: pg.Pool): Promise<number> => {
  await until(async () => (await pool.query(builder)).rows.length > 0, { what: 'the index is being built' })
  return (await pool.query(builder)).rows[0].pid
}

t.test('while an index is built, writers go on, and others who migrate wait without being in its way', async t => {
  const { pool, url } = await prepare(t)
  const end = await olderTransaction(t, pool)
  // A role whose transactions keep their snapshot: it must not be waited for by the index that it guards.
  const another = new pg.Pool({
    connectionString: url,
    options: '-c default_transaction_isolation=serializable',
    max: 3
  })
  another.on('error', () => {})
  t.teardown(() => another.end())
  const first = runMigrations(lendFrom(another), later.index)
  await building(pool)
  const second = runMigrations(lendFrom(pool), later.index)
  await pool.query(`set lock_timeout = '5s'; set statement_timeout = '5s'`)
  for (let i = 0; i < 50; i++) await pool.query(`update steadfast.event set count = count where due`)
  t.equal((await pool.query(others)).rows.length, 1, 'the migration that builds is the only one with the lock')
  await end()
  t.same([await first, await second], [[NEXT], []])
  t.same((await pool.query(state)).rows, [{ valid: true }])
  t.same(await indexes(pool), [{ name: 'event_correlated' }])
})

t.test(
  'a migration dies while its index is built, and the server goes on: the next one takes the index as it is',
  async t => {
    const { pool, url } = await prepare(t)
    const end = await olderTransaction(t, pool)
    const dying = fork(child, [url, 'index'])
    const pid = await building(pool)
    dying.kill('SIGKILL')
    await once(dying, 'exit')
    await until(async () => (await pool.query(others)).rows.length === 0, { what: 'the lock of the dead is free' })
    const next = runMigrations(lendFrom(pool), later.index)
    await until(async () => (await pool.query(others)).rows.length === 1, { what: 'the next one is at it' })
    t.equal(await building(pool), pid, 'the index is still being built by the orphan')
    await end()
    t.same(await next, [NEXT])
    t.same((await pool.query(state)).rows, [{ valid: true }])
  }
)

t.test('what is left of an index whose building ended in the middle is dropped and built anew', async t => {
  const { pool, url } = await prepare(t)
  const end = await olderTransaction(t, pool)
  const dying = fork(child, [url, 'index'], { stdio: 'ignore' })
  const pid = await building(pool)
  dying.kill('SIGKILL')
  await once(dying, 'exit')
  await pool.query('select pg_terminate_backend($1)', [pid])
  await until(async () => (await pool.query('select 1 from pg_stat_activity where pid = $1', [pid])).rows.length === 0)
  t.same((await pool.query(state)).rows, [{ valid: false }])
  await end()
  t.same(await runMigrations(lendFrom(pool), later.index), [NEXT])
  t.same((await pool.query(state)).rows, [{ valid: true }])
  t.same(await indexes(pool), [{ name: 'event_correlated' }])
})

t.test('a pool of one connection: an error in bounded time, and nothing is applied', async t => {
  const { pool, url } = await prepare(t)
  const single = new pg.Pool({ connectionString: url, max: 1 })
  single.on('error', () => {})
  t.teardown(() => single.end())
  await t.rejects(runMigrations(lendFrom(single), later.index, IMPATIENT), { message: /second connection/ })
  t.equal((await pool.query(state)).rows.length, 0)
  t.same(await runMigrations(lendFrom(pool), later.index), [NEXT])
})
