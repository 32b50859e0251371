import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { testDatabase } from '@steadfast/dev-services'
import { runMigrations } from '@steadfast/events/migrations'
import type pg from 'pg'
import t from 'tap'
import { doctor } from '../src/schema/doctor.ts'
import { LATEST_VERSION, lendFrom, migrate, requireSchema } from '../src/schema/migrate.ts'
import { MIGRATIONS } from '../src/schema/migrations/index.ts'
import { later, NEXT } from './later-steps.ts'

const cli = new URL('../src/cli.ts', import.meta.url).pathname
const column = `select 1 from information_schema.columns
  where table_schema = 'steadfast' and table_name = 'migration' and column_name = 'compatible_from'`
const versions = async (pool: pg.Pool) =>
  (await pool.query('select version, compatible_from from steadfast.migration order by version')).rows

t.test('after an expanding migration an old version starts, migrates nothing and says so', async t => {
  const { pool, url } = await testDatabase(t)
  t.same(await runMigrations(lendFrom(pool), later.wider), [...MIGRATIONS.map(m => m.version), NEXT])
  await requireSchema(pool)
  t.same(await migrate(pool), [])
  t.same((await versions(pool)).at(-1), { version: NEXT, compatible_from: LATEST_VERSION })
  const { stdout } = await promisify(execFile)(process.execPath, [cli, 'status', '--url', url])
  t.match(stdout, `is at migration ${NEXT}; this version knows ${LATEST_VERSION} and runs on it`)
  t.match((await doctor(pool)).join('\n'), /ask the newer one/)
})

t.test('after a contracting migration an old version is refused, whatever a later one says', async t => {
  const { pool, url } = await testDatabase(t)
  await runMigrations(lendFrom(pool), later.narrower)
  const refusal = { code: 'SF_STORE_SCHEMA_NEWER', message: /cannot run on it/ }
  await t.rejects(requireSchema(pool), refusal)
  await t.rejects(migrate(pool), refusal)
  await runMigrations(lendFrom(pool), later.careless)
  await t.rejects(requireSchema(pool), refusal)
  await t.rejects(promisify(execFile)(process.execPath, [cli, 'status', '--url', url]), {
    code: 1,
    stdout: /cannot run/
  })
})

t.test(
  'bookkeeping without compatible_from: each step is compatible with itself alone, and the next one adds it',
  async t => {
    const { pool } = await testDatabase(t)
    await migrate(pool)
    await pool.query('alter table steadfast.migration drop column compatible_from')
    await requireSchema(pool)
    t.same(await migrate(pool), [], 'nothing to do, so nothing is asked of the role')
    t.equal((await pool.query(column)).rows.length, 0)
    t.same(await runMigrations(lendFrom(pool), later.wider), [NEXT])
    t.equal((await pool.query(column)).rows.length, 1)
    await requireSchema(pool)
    await pool.query('alter table steadfast.migration drop column compatible_from')
    await t.rejects(requireSchema(pool), { code: 'SF_STORE_SCHEMA_NEWER' })
  }
)
