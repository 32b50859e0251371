import { writeFile } from 'node:fs/promises'
import { matchWhole, testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { doctor } from '../src/schema/doctor.ts'
import { EXPECTED_SHAPE } from '../src/schema/expected-shape.ts'
import { migrate } from '../src/schema/migrate.ts'
import { readShape, type SchemaShape } from '../src/schema/read-shape.ts'

const render = (shape: SchemaShape) => `import type { SchemaShape } from './read-shape.ts'

// Made from the migrations: UPDATE_SHAPE=1 with test/doctor.test.ts writes it anew, and that test holds it to them.
export const EXPECTED_SHAPE: SchemaShape = ${JSON.stringify(shape, null, 2)}
`

t.test('the expected shape is what the migrations make', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool, { schema: 'elsewhere' })
  const shape = await readShape(pool, 'elsewhere')
  if (process.env.UPDATE_SHAPE === '1')
    await writeFile(new URL('../src/expected-shape.ts', import.meta.url), render(shape))
  else t.strictSame(shape, EXPECTED_SHAPE, 'else: UPDATE_SHAPE=1, then biome check --write packages/store')
})

t.test('a healthy schema has no differences, in any schema and search_path', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  await migrate(pool, { schema: 'other' })
  t.same(await doctor(pool), [])
  const client = await pool.connect()
  t.teardown(() => client.release())
  for (const path of ["''", 'other', 'steadfast, other', 'pg_catalog']) {
    await client.query(`set search_path = ${path}`)
    t.same(await doctor(client, { schema: 'other' }), [], `search_path = ${path}`)
  }
})

t.test('no tables, older, newer', async t => {
  const { pool } = await testDatabase(t)
  matchWhole(t, await doctor(pool), [/no tables of Steadfast: run `steadfast migrate`/])
  await migrate(pool)
  await pool.query(`insert into steadfast.migration (version, name) values (999, 'later')`)
  matchWhole(t, await doctor(pool), [/at migration 999, newer/])
})

const DAMAGES: [string, RegExp][] = [
  ['drop table steadfast.relay', /^table relay is missing$/],
  ['alter table steadfast.audit set unlogged', /^table audit is unlogged, expected permanent$/],
  ['alter table steadfast.event drop column last_error', /^column last_error of table event is missing/],
  [
    'alter table steadfast.event alter payload type jsonb',
    /^column payload of table event is: jsonb not null, expected: json not null$/
  ],
  [
    'alter table steadfast.event alter key drop not null',
    /^column key of table event is: text, expected: text not null$/
  ],
  [
    'alter table steadfast.event alter due set default false',
    /^column due .* default false, expected: .* default true$/
  ],
  ['alter sequence steadfast.event_seq_seq cache 20', /^column seq .*cache 20.*expected.*cache 1/],
  ['alter table steadfast.event add extra text', /^column extra of table event is not expected: text$/],
  ['drop index steadfast.event_due', /^index event_due of table event is missing/],
  [
    'drop index steadfast.event_due; create index event_due on steadfast.event (topic, seq)',
    /^index event_due .* is: .*\(topic, seq\), expected: .* WHERE \(due AND \(NOT replay\)\)$/
  ],
  ['alter table steadfast.event drop constraint event_status', /^constraint event_status of table event is missing/],
  ['alter table steadfast.inbox drop constraint inbox_pkey', /^constraint inbox_pkey of table inbox is missing/],
  [
    'alter table steadfast.event set (fillfactor = 100)',
    /^storage parameter fillfactor of table event is: 100, expected: 70$/
  ],
  [
    'alter table steadfast.event reset (autovacuum_vacuum_threshold)',
    /^storage parameter autovacuum_vacuum_threshold .* missing/
  ]
]

t.test('each kind of drift is named, and nothing else', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  for (const [damage, words] of DAMAGES) {
    const client = await pool.connect()
    await client.query('begin')
    await client.query(damage)
    const differences = await doctor(client)
    matchWhole(t, differences, [words], damage)
    t.equal(differences.length, 1, `only one difference after: ${damage}`)
    await client.query('rollback')
    client.release()
  }
})

t.test('a table of the owner in the schema is no difference, and a strange schema name is refused', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  await pool.query('create table steadfast.mine (a int)')
  t.same(await doctor(pool), [])
  await t.rejects(doctor(pool, { schema: `x'; drop table y --` }), { code: 'SF_STORE_IDENTIFIER_INVALID' })
})
