import { testDatabase, until } from '@steadfast/dev-services'
import t from 'tap'
import { openDatabase } from '../src/database.ts'
import { createPostgresTransport } from '../src/index.ts'
import { migrate } from '../src/migrate.ts'
import { readSettings, silent } from '../src/options.ts'
import { MIGRATIONS } from '../src/sql/migrations.ts'
import { createFor, join, message, outcomes, publish } from './create.ts'

t.test('schema names that are words of SQL, or as long as a name may be', async t => {
  const { url } = await testDatabase(t)
  for (const schema of ['select', 'user', '_', 'a'.repeat(63)]) {
    const transport = createFor(t, { connectionString: url, schema, publishTimeoutMs: 20_000 })
    t.same(outcomes(await publish(transport, [message('topic', 'k', schema)])), ['ok'])
    const member = await join(transport, 'topic')
    await until(() => member.deliveries.length === 1)
    t.same(member.texts(), [schema], 'logs in one database do not see each other')
    await until(async () => (await member.subscription.lag()) === 0n)
    await member.subscription.rewind('beginning')
    await until(async () => member.deliveries.length === 2 && (await member.subscription.lag()) === 0n)
    t.equal(await transport.purge(), 0)
  }
})

t.test('schema names that are refused', async t => {
  for (const schema of ['', 'Log', 'x"; drop schema public; --', 'a b', '1a', 'a'.repeat(64), 'pg_log']) {
    t.throws(() => createPostgresTransport({ connectionString: 'postgres://localhost', schema }), {
      code: /_OPTIONS?_INVALID$/
    })
  }
})

t.test('an empty search_path, and one that leads to tables of the same names', async t => {
  const { url, pool } = await testDatabase(t)
  await pool.query('create schema decoy')
  for (const table of ['topic', 'partition', 'record', 'group_offset', 'member', 'migration']) {
    await pool.query(`create table decoy.${table} ()`)
  }
  for (const path of ["''", 'decoy']) {
    const { rows } = await pool.query('select current_database() as name')
    await pool.query(`alter database ${rows[0].name} set search_path = ${path}`)
    const transport = createFor(t, { connectionString: url })
    const topic = `topic-${path.length}`
    t.same(outcomes(await publish(transport, [message(topic, 'k', 'm')])), ['ok'])
    const member = await join(transport, topic)
    await until(() => member.deliveries.length === 1)
  }
})

t.test('many clients that start at once on an empty database', async t => {
  const { url } = await testDatabase(t)
  const transports = Array.from({ length: 8 }, () => createFor(t, { connectionString: url, publishTimeoutMs: 20_000 }))
  const results = await Promise.all(transports.map((each, i) => publish(each, [message('topic', 'k', `m${i}`)])))
  t.same(
    results.flatMap(outcomes),
    transports.map(() => 'ok')
  )
})

t.test('a role that may not create anything can use the tables that are there', async t => {
  const { url, pool } = await testDatabase(t)
  await createFor(t, { connectionString: url }).ensureTopics([{ name: 'topic', partitions: 2 }])
  const role = `plain_${process.pid}`
  await pool.query(`create role ${role} login`)
  t.teardown(async () => {
    await pool.query(`drop owned by ${role}`)
    await pool.query(`drop role ${role}`)
  })
  await pool.query(`grant usage on schema steadfast_log to ${role}`)
  await pool.query(`grant select, insert, update, delete on all tables in schema steadfast_log to ${role}`)
  const address = new URL(url)
  address.username = role
  const transport = createFor(t, { connectionString: address.href })
  t.same(outcomes(await publish(transport, [message('topic', 'k', 'm')])), ['ok'])
  const member = await join(transport, 'topic')
  await until(() => member.deliveries.length === 1)
  await transport.close(1000)
})

t.test('tables of a later version are left alone, and health() says so', async t => {
  const { url, pool } = await testDatabase(t)
  const first = createFor(t, { connectionString: url })
  await first.ensureTopics([{ name: 'topic', partitions: 1 }])
  await pool.query(`insert into steadfast_log.migration (version, name) values (99, 'later')`)
  const second = createFor(t, { connectionString: url })
  await t.rejects(second.ensureTopics([{ name: 'topic', partitions: 1 }]), {
    code: 'SF_TRANSPORT_POSTGRES_SCHEMA_NEWER'
  })
  t.same(outcomes(await publish(second, [message('topic', 'k', 'm')])), ['unavailable'])
  t.match(second.health(), { ready: false, reason: /version 99/ })
})

t.test('tables of a later version that this one runs on are used as they are', async t => {
  const { url, pool } = await testDatabase(t)
  await createFor(t, { connectionString: url }).ensureTopics([{ name: 'topic', partitions: 1 }])
  await pool.query(
    `insert into steadfast_log.migration (version, name, compatible_from) values (98, 'wider', 1), (99, 'wider', 1)`
  )
  const second = createFor(t, { connectionString: url })
  t.same(outcomes(await publish(second, [message('topic', 'k', 'm')])), ['ok'])
  t.equal(second.health().ready, true)
})

t.test('a log made before steps said whom they lock out', async t => {
  const { url, pool } = await testDatabase(t)
  await createFor(t, { connectionString: url }).ensureTopics([{ name: 'topic', partitions: 1 }])
  await pool.query('alter table steadfast_log.migration drop column compatible_from')
  const second = createFor(t, { connectionString: url })
  t.same(outcomes(await publish(second, [message('topic', 'k', 'm')])), ['ok'])
})

t.test(
  'a step of the log stops nobody for long while somebody holds its table, and gets through afterwards',
  async t => {
    const { url, pool } = await testDatabase(t)
    await createFor(t, { connectionString: url }).ensureTopics([{ name: 'topic', partitions: 1 }])
    const db = openDatabase(readSettings({ connectionString: url }), silent)
    t.teardown(() => db.close(1000))
    const holder = await pool.connect()
    await holder.query('begin; select count(*) from steadfast_log.record')
    const step = { version: 99, name: 'wider', sql: (s: string) => `alter table ${s}.record add column spare text` }
    const migrating = migrate(db, [...MIGRATIONS, step])
    const waiting = `select 1 from pg_locks where mode = 'AccessExclusiveLock' and not granted
    and database = (select oid from pg_database where datname = current_database())`
    await until(async () => (await pool.query(waiting)).rows.length === 1, { what: 'the step waits' })
    await pool.query('select count(*) from steadfast_log.record')
    t.pass('who came behind it went on, although the table is still held')
    await holder.query('commit')
    holder.release()
    await migrating
    t.same((await pool.query('select max(version) as version from steadfast_log.migration')).rows, [{ version: 99 }])
  }
)

t.test('options', async t => {
  const connectionString = 'postgres://localhost'
  t.throws(() => createPostgresTransport({}), { code: 'SF_TRANSPORT_POSTGRES_OPTION_INVALID' })
  t.throws(() => createPostgresTransport({ connectionString, pollIntervalMS: 5 } as object), {
    message: /did you mean "pollIntervalMs"/
  })
  t.throws(() => createPostgresTransport({ connectionString, leaseMs: 1 }), { code: 'SF_OPTIONS_INVALID' })
})

t.test(
  'a role that lacks a right, or does not see all rows: health says what to do, and it goes on when that is done',
  async t => {
    const { url, pool } = await testDatabase(t)
    const admin = createFor(t, { connectionString: url })
    t.same(outcomes(await publish(admin, [message('topic', 'k', 'm')])), ['ok'])
    const role = `log_${process.pid}_${Date.now().toString(36)}`
    await pool.query(`create role ${role} login password 'of the test'`)
    t.teardown(async () => {
      await pool.query(`drop owned by ${role}`)
      await pool.query(`drop role ${role}`)
    })
    const { rows } = await pool.query(
      `select n.nspname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relname = 'group_offset'`
    )
    const schema = `"${rows[0].name}"`
    await pool.query(`grant usage on schema ${schema} to ${role}; grant select, insert, update, delete on all tables in schema ${schema} to ${role};
    revoke delete on ${schema}.member from ${role}`)
    const address = new URL(url)
    Object.assign(address, { username: role, password: 'of the test' })
    const transport = createFor(t, { connectionString: address.href })
    await until(() => transport.health().reason?.includes('grant delete on') === true, { what: 'the missing right' })
    t.match(transport.health(), { ready: false, reason: new RegExp(`grant delete on ${schema}.member to ${role};`) })
    await pool.query(
      `grant delete on ${schema}.member to ${role}; alter table ${schema}.record enable row level security`
    )
    await until(() => transport.health().reason?.includes('Row-level security') === true, { what: 'the hidden rows' })
    await pool.query(`alter table ${schema}.record disable row level security`)
    await until(() => transport.health().ready, { what: 'health' })
    t.same(outcomes(await publish(transport, [message('topic', 'k', 'n')])), ['ok'])
  }
)
