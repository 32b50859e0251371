import { randomUUID } from 'node:crypto'
import { matchWhole, type TestDatabase, testDatabase } from '@steadfast/dev-services'
import pg from 'pg'
import t, { type Test } from 'tap'
import { doctor, migrate, type Plugin, printGrants, requireSchema } from '../src/index.ts'
import { PLUGINS, RIGHTS } from '../src/schema/rights.ts'
import { seedDelivery, seedEvent } from './seed.ts'

// a busy machine takes its time
t.setTimeout(240_000)

/** A database with the tables, and a role with exactly the rights that are printed for it. */
async function withRole(t: Test): Promise<TestDatabase & { role: string; as: pg.Pool }> {
  const database = await testDatabase(t)
  await migrate(database.pool)
  const role = `role_${randomUUID().slice(0, 8)}`
  await database.pool.query(`create role ${role} login; ${printGrants({ role })}`)
  const address = new URL(database.url)
  address.username = role
  const as = new pg.Pool({ connectionString: address.href, max: 2 })
  as.on('error', () => {})
  t.teardown(async () => {
    await as.end()
    await database.pool.query(`drop owned by ${role}; drop role ${role}`)
  })
  return { ...database, role, as }
}

t.test(
  'each right is needed by the plugin that names it: without it the start says which GRANT is missing',
  async t => {
    const { pool, as, role } = await withRole(t)
    for (const plugin of PLUGINS) await requireSchema(as, 'steadfast', plugin)
    t.same(await doctor(as), [])
    for (const plugin of PLUGINS) {
      for (const [object, rights] of Object.entries(RIGHTS[plugin])) {
        for (const right of rights) {
          const what = `${right} on ${object.endsWith('_seq') ? 'sequence ' : ''}steadfast.${object}`
          await pool.query(`revoke ${what} from ${role}`)
          const message = `Role ${role} lacks rights in schema "steadfast". Let the owner of the tables run:\ngrant ${what} to ${role};`
          await t.rejects(
            requireSchema(as, 'steadfast', plugin),
            { code: 'SF_STORE_RIGHTS_MISSING', message },
            `${plugin}: ${what}`
          )
          t.same(await doctor(as, { plugins: [plugin] }), [message])
          await pool.query(`grant ${what} to ${role}`)
        }
      }
    }
    await pool.query(`revoke usage on schema steadfast from ${role}`)
    await t.rejects(requireSchema(as, 'steadfast', 'relay'), {
      message: /\ngrant usage on schema steadfast to role_\w+;$/
    })
    await requireSchema(as, 'nowhere', 'relay').catch(error => t.equal(error.code, 'SF_STORE_SCHEMA_OLDER'))
  }
)

t.test('rights of one plugin are enough for it alone', async t => {
  const { pool, as, role } = await withRole(t)
  await pool.query(
    `revoke all on all tables in schema steadfast from ${role}; revoke all on all sequences in schema steadfast from ${role}`
  )
  await pool.query(printGrants({ role, plugins: ['relay'] }))
  await requireSchema(as, 'steadfast', 'relay')
  t.same(await doctor(as, { plugins: ['relay'] }), [])
  for (const plugin of PLUGINS.filter(plugin => plugin !== 'relay'))
    await t.rejects(requireSchema(as, 'steadfast', plugin), { code: 'SF_STORE_RIGHTS_MISSING' }, plugin)
})

t.test('row-level security that hides rows from the role stops the start, and doctor names the tables', async t => {
  const { pool, as, role } = await withRole(t)
  const hidden = { code: 'SF_STORE_ROWS_HIDDEN', message: new RegExp(`on steadfast.event lets role ${role} `) }
  const check = async (what: string, plugins: Plugin[]) => {
    for (const plugin of PLUGINS) {
      if (plugins.includes(plugin))
        await t.rejects(requireSchema(as, 'steadfast', plugin), hidden, `${what}: ${plugin}`)
      else await requireSchema(as, 'steadfast', plugin)
    }
    matchWhole(t, await doctor(as), plugins.length === 0 ? [] : [hidden.message], what)
  }
  const all: Plugin[] = ['outbox', 'relay', 'sweeper', 'inbox', 'reconciliation']
  await pool.query('alter table steadfast.event enable row level security')
  await check('no policy', all)
  t.same(await doctor(pool), [], 'the owner is not bound by it')
  await pool.query(`create policy mine on steadfast.event using (source = 'market')`)
  await check('a policy for some rows', all)
  await pool.query(
    `drop policy mine on steadfast.event; create policy reads on steadfast.event for select using (true)`
  )
  await check('a policy for reading', all)
  await pool.query(
    'drop policy reads on steadfast.event; create policy other on steadfast.event to pg_monitor using (true)'
  )
  await check('a policy for others', all)
  await pool.query('create policy open on steadfast.event using (true)')
  await check('a policy for everything', [])
  await pool.query(`create policy narrow on steadfast.event as restrictive using (source = 'market')`)
  await check('and one that restricts it', all)
  await pool.query('drop policy narrow on steadfast.event; drop policy open on steadfast.event')
  await pool.query(
    'alter table steadfast.event disable row level security; alter table steadfast.migration enable row level security'
  )
  await t.rejects(
    requireSchema(as, 'steadfast', 'relay'),
    { code: 'SF_STORE_ROWS_HIDDEN' },
    'said before the version, which is hidden'
  )
})

t.test('a sequence behind its data stops the start of who draws from it', async t => {
  const { pool, as } = await withRole(t)
  for (let i = 0; i < 3; i++) await seedEvent(pool)
  await seedDelivery(pool, { state: 'HELD' })
  await pool.query(`insert into steadfast.audit (actor, action) values ('ann', 'x'), ('ann', 'y')`)
  const cases: [string, string, RegExp, Plugin[]][] = [
    ['event', 'seq', /event_seq_seq gives 2 next, while table steadfast.event has 3 already/, ['outbox']],
    ['inbox', 'arrival', /inbox_arrival_seq gives 1 next, while table steadfast.inbox has 1 already/, ['inbox']],
    ['audit', 'id', /audit_id_seq gives 2 next, while table steadfast.audit has 2 already/, ['inbox', 'reconciliation']]
  ]
  for (const [table, column, message, plugins] of cases) {
    const next = table === 'inbox' ? 1 : 2
    await pool.query(`alter table steadfast.${table} alter ${column} restart with ${next}`)
    for (const plugin of PLUGINS) {
      if (plugins.includes(plugin))
        await t.rejects(requireSchema(as, 'steadfast', plugin), { code: 'SF_STORE_SEQUENCE_BEHIND', message }, plugin)
      else await requireSchema(as, 'steadfast', plugin)
    }
    const [said = '', ...more] = await doctor(as)
    t.match(said, message)
    t.same(more, [])
    await pool.query(/run: (select .*;)$/.exec(said)?.[1] ?? 'the message names no remedy')
    t.same(await doctor(as), [], 'the remedy that the message names')
    await pool.query(`alter table steadfast.${table} alter ${column} restart with 100`)
    t.same(await doctor(as), [], 'ahead, and not used yet')
  }
})

t.test('doctor reads every row for the highest number, also what the start does not look at', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  await seedEvent(pool, { id: '00000000-0000-7000-8000-000000000000' })
  await pool.query(
    `insert into steadfast.event (id, lane, source, type, topic, key, payload, headers, max_sends, correlation_id)
     select gen_random_uuid(), 0, 'market', 't', 't', 'k', '{}', '{}', 1, 'c' from generate_series(1, 1001);
     update steadfast.event set seq = default where id = '00000000-0000-7000-8000-000000000000'`
  )
  await seedDelivery(pool)
  await pool.query(
    'alter table steadfast.event alter seq restart with 1003; alter table steadfast.inbox alter arrival restart with 1'
  )
  matchWhole(t, await doctor(pool), [/event has 1003 already/, /inbox has 1 already/])
  await requireSchema(pool, 'steadfast', 'outbox')
  await requireSchema(pool, 'steadfast', 'inbox')
})

t.test('settings of a role under which values are read wrongly, or nothing can be written, stop the start', async t => {
  const { pool, url, as, role } = await withRole(t)
  const name = new URL(url).pathname.slice(1)
  for (const [setting, value, words] of [
    ['datestyle', `'SQL, DMY'`, /DateStyle .* is "SQL, DMY"; Steadfast needs ISO/],
    ['extra_float_digits', '-3', /extra_float_digits .* is "-3"; Steadfast needs 0 or more/],
    ['default_transaction_read_only', 'on', /default_transaction_read_only .* is "on"; Steadfast needs off/]
  ] as const) {
    for (const whose of [`role ${role}`, `database ${name}`, `role ${role} in database ${name}`]) {
      await pool.query(`alter ${whose} set ${setting} = ${value}`)
      const fresh = new pg.Client({ connectionString: as.options.connectionString })
      await fresh.connect()
      for (const plugin of PLUGINS)
        await t.rejects(
          requireSchema(fresh, 'steadfast', plugin),
          { code: 'SF_STORE_SETTING_UNFIT', message: words },
          whose
        )
      matchWhole(t, await doctor(fresh), [words])
      await fresh.end()
      await pool.query(`alter ${whose} reset ${setting}`)
    }
  }
})
