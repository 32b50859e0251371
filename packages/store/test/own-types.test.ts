import { testDatabase } from '@steadfast/dev-services'
import { queryRows } from '@steadfast/events/postgres'
import pg from 'pg'
import t from 'tap'
import { shortTransaction, storeOn } from '../src/internal.ts'

const foreign = { getTypeParser: () => (text: string) => ({ host: text }) }

t.test('what a statement of the store reads is what the driver makes of it by itself', async t => {
  const { pool } = await testDatabase(t)
  const values = [
    'true and not false',
    'not true',
    `'\\x00ff5c27'::bytea`,
    `''::bytea`,
    '9007199254740993::bigint',
    '-2::smallint',
    '2147483647',
    '1259::oid',
    '0.1::real',
    `'-infinity'::float8`,
    `'NaN'::float8`,
    '1e-300::float8',
    `'{"a": [1, null]}'::json`,
    `'"text"'::jsonb`,
    '12345678901234567890.5::numeric',
    `'0190a7c2-0000-7000-8000-000000000000'::uuid`,
    `'text'`,
    `'name'::name`,
    'null::timestamptz',
    `'infinity'::timestamptz`,
    `'-infinity'::timestamptz`,
    `'2026-02-28 23:59:59.999999+00'::timestamptz`,
    `'1960-01-01 00:00:00.5+00'::timestamptz`,
    `'0044-03-15 12:00:00+00 BC'::timestamptz`,
    `'12026-01-01 00:00:00+00'::timestamptz`,
    `'0099-12-31 00:00:00+00'::timestamptz`
  ]
  const statement = `select ${values.map((value, i) => `${value} as v${i}`).join(', ')}`
  for (const zone of ['UTC', 'America/St_Johns', 'Africa/Monrovia', 'Asia/Kathmandu']) {
    const client = new pg.Client({ connectionString: pool.options.connectionString })
    await client.connect()
    await client.query(`set timezone = '${zone}'`)
    const { rows } = await client.query(statement)
    t.strictSame(await queryRows(client, statement), rows, zone)
    await client.query('set bytea_output = escape')
    t.strictSame(await queryRows(client, statement), rows, 'bytes in the other form')
    await client.end()
  }
})

t.test('parsers of the host reach its own statements, and none of the store', async t => {
  const { url } = await testDatabase(t)
  const pool = new pg.Pool({ connectionString: url, types: foreign as unknown as pg.CustomTypesConfig })
  t.teardown(() => pool.end())
  const own = [{ n: 1 }]
  t.same((await pool.query('select 1 as n')).rows, [{ n: { host: '1' } }])
  t.same(await storeOn(pool).rows('select 1 as n'), own)
  t.same(await storeOn({ pool, query: pool.query.bind(pool), Client: pg.Client } as never).rows('select 1 as n'), own)
  const client = await pool.connect()
  t.same(await storeOn(client).rows('select $1::int as n', [1]), own)
  client.release()
  t.same(await shortTransaction(pool, 'steadfast', { statementTimeoutMs: 10_000 }, db => db.rows('select 1 as n')), own)
})

t.test('an adapter that takes text and values is given just these', async t => {
  const asked: unknown[][] = []
  const adapter = {
    async query(...given: unknown[]) {
      asked.push(given)
      return { rows: [] }
    }
  }
  await storeOn(adapter).rows('select $1', [1])
  t.strictSame(asked, [['select $1', [1]]])
})

t.test('a time in another form than ISO fails, rather than being another day', async t => {
  const { pool } = await testDatabase(t)
  const client = await pool.connect()
  for (const style of ['SQL, DMY', 'Postgres, MDY', 'German']) {
    await client.query(`set datestyle = '${style}'`)
    await t.rejects(queryRows(client, 'select clock_timestamp() as now'), { message: /DateStyle = ISO/ })
  }
  t.same(await queryRows(client, 'select 1 as n'), [{ n: 1 }], 'the connection goes on')
  client.release()
})
