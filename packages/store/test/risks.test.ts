import { matchWhole, testDatabase } from '@steadfast/dev-services'
import pg from 'pg'
import t from 'tap'
import { doctor, findRisks, migrate } from '../src/index.ts'

import { seedEvent, Told } from './seed.ts'

// The role of these tests owns the tables.
const AUDIT = /^role postgres may change or remove rows of table audit \(owner of the table, update, delete, truncate\)/
const FUNCTION = `create function pass() returns trigger language plpgsql as 'begin return new; end'`

t.test('triggers and rules of others on the tables of Steadfast, and on no other', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  await pool.query(`${FUNCTION}; create table steadfast.mine (a int)`)
  await pool.query('create trigger mine before insert on steadfast.mine for each row execute function pass()')
  matchWhole(t, await findRisks(pool), [AUDIT])
  await pool.query(`create trigger "Notes" before insert on steadfast.event for each row execute function pass();
    create trigger off before insert on steadfast.event for each row execute function pass();
    alter table steadfast.event disable trigger off;
    create rule keep as on delete to steadfast.inbox do instead nothing`)
  matchWhole(t, await findRisks(pool), [
    /^trigger "Notes" on table event is not Steadfast's: it may change what is written/,
    /^rule keep on table inbox is not Steadfast's/,
    AUDIT
  ])
  t.same(await findRisks(pool, { schema: 'elsewhere' }).catch(error => error.code), '42P01')
  t.same(await doctor(pool), [], 'no difference of the tables')
})

t.test('synchronous_commit = off and another isolation level, and whose settings they are', async t => {
  const { pool, url } = await testDatabase(t)
  await migrate(pool)
  const name = new URL(url).pathname.slice(1)
  for (const mode of ['off', 'local', 'on']) {
    await pool.query(`alter database ${name} set synchronous_commit = ${mode}`)
    const fresh = new pg.Client({ connectionString: url })
    await fresh.connect()
    const words =
      /^synchronous_commit is off \(of the database\): a crash of the server takes back what was committed last/
    matchWhole(t, await findRisks(fresh), mode === 'off' ? [words, AUDIT] : [AUDIT], mode)
    await fresh.query(`set synchronous_commit = on; set default_transaction_isolation = serializable`)
    matchWhole(t, await findRisks(fresh), [
      /^default_transaction_isolation is serializable \(of the server or the session\): .* conflict more often/,
      AUDIT
    ])
    await fresh.end()
  }
})

t.test('two services in one schema', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  await seedEvent(pool)
  await seedEvent(pool, {}, { contract: Told })
  matchWhole(t, await findRisks(pool), [AUDIT])
  await seedEvent(pool, {}, { source: 'deploy' })
  matchWhole(t, await findRisks(pool), [
    AUDIT,
    /^several services wrote their events into schema "steadfast" \(deploy, market\)/
  ])
})

t.test('a collation of another version than the indexes were built under', async t => {
  const { pool, url } = await testDatabase(t)
  const { rows } = await pool.query(`select current_setting('server_version_num')::int as version`)
  if (rows[0].version < 170_000) return t.pass('the test needs a collation with a version on every system')
  const address = new URL(url)
  const name = `${address.pathname.slice(1)}_other`
  address.pathname = `/${name}`
  await pool.query(`create database ${name} template template0 locale_provider builtin builtin_locale 'C.UTF-8'`)
  const other = new pg.Pool({ connectionString: address.href })
  t.teardown(() => pool.query(`drop database ${name}`))
  await migrate(other)
  matchWhole(t, await findRisks(other), [AUDIT])
  await other.query(`update pg_catalog.pg_database set datcollversion = '0' where datname = $1`, [name])
  matchWhole(t, await findRisks(other), [
    AUDIT,
    /^the collation of this database is of version 0 and the system has 1: indexes on text/
  ])
  await other.end()
})
