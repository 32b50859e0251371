import { testDatabase, until } from '@steadfast/dev-services'
import t from 'tap'
import { createPostgresTransport } from '../src/index.ts'
import { createFor, join, message, outcomes, publish } from './create.ts'

t.test('schema names that are words of SQL, or as long as a name may be', async t => {
  const { url } = await testDatabase(t)
  for (const schema of ['select', 'user', '_', 'a'.repeat(63)]) {
    const transport = createFor(t, { connectionString: url, schema })
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
  const transports = Array.from({ length: 8 }, () => createFor(t, { connectionString: url }))
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

t.test('options', async t => {
  const connectionString = 'postgres://localhost'
  t.throws(() => createPostgresTransport({}), { code: 'SF_TRANSPORT_POSTGRES_OPTION_INVALID' })
  t.throws(() => createPostgresTransport({ connectionString, pollIntervalMS: 5 } as object), {
    message: /did you mean "pollIntervalMs"/
  })
  t.throws(() => createPostgresTransport({ connectionString, leaseMs: 1 }), { code: 'SF_OPTIONS_INVALID' })
})
