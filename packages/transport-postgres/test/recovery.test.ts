import { launchPostgres, startProxy, testDatabase, until } from '@steadfast/dev-services'
import t from 'tap'
import { createFor, join, message, outcomes, publish } from './create.ts'

t.test('PostgreSQL crashes and comes back: publishing, consuming and health recover by themselves', async t => {
  const server = await launchPostgres()
  t.teardown(() => server.stop())
  const publisher = createFor(t, { connectionString: server.url })
  const consumer = createFor(t, { connectionString: server.url })
  const member = await join(consumer, 't')
  t.same(outcomes(await publish(publisher, [message('t', 'k', 'before')])), ['ok'])
  await until(() => member.deliveries.length === 1)

  await server.stopImmediate()
  t.notSame(outcomes(await publish(publisher, [message('t', 'k', 'meanwhile')])), ['ok'])
  for (const transport of [publisher, consumer]) {
    await until(() => !transport.health().ready, { what: 'health to tell' })
    t.match(transport.health().reason, /PostgreSQL/)
  }
  await server.start()
  for (const transport of [publisher, consumer])
    await until(() => transport.health().ready, { what: 'health to recover' })
  t.same(outcomes(await publish(publisher, [message('t', 'k', 'after')])), ['ok'])
  await until(() => member.texts().includes('after'))
  await until(async () => (await member.subscription.lag()) === 0n)
})

t.test('a client that is made while PostgreSQL is away begins when it comes', async t => {
  const { url } = await testDatabase(t)
  const proxy = await startProxy({ targetPort: Number(new URL(url).port) })
  t.teardown(() => proxy.close())
  const address = new URL(url)
  address.port = String(proxy.port)
  await proxy.cut()
  const transport = createFor(t, { connectionString: address.href })
  const member = await join(transport, 't')
  t.equal(transport.health().ready, false)
  t.same(outcomes(await publish(transport, [message('t', 'k', 'm0')])), ['unavailable'])
  await proxy.restore()
  await until(async () => (await publish(transport, [message('t', 'k', 'm1')]))[0]?.ok)
  await until(() => member.deliveries.length > 0)
  t.equal(member.texts()[0], 'm1')
  await until(() => transport.health().ready)
})

t.test('every connection is ended by the server, again and again, under load', async t => {
  const { url, pool } = await testDatabase(t)
  const transport = createFor(t, { connectionString: url })
  await transport.ensureTopics([{ name: 't', partitions: 3 }])
  const member = await join(transport, 't')
  const stored: string[] = []
  for (let round = 0; round < 10; round++) {
    const batch = Array.from({ length: 20 }, (_, i) => message('t', `key-${i}`, `${round}/${i}`))
    const publishing = publish(transport, batch)
    await pool.query(`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`)
    const results = await publishing
    batch.forEach(({ value }, i) => {
      if (results[i]?.ok) stored.push(value.toString())
    })
  }
  await until(async () => (await publish(transport, [message('t', 'key-0', 'last')]))[0]?.ok)
  await until(() => stored.every(text => member.texts().includes(text)), { what: 'all that was answered with ok' })
  await until(() => transport.health().ready)
  await until(async () => (await member.subscription.lag()) === 0n)
})

t.test('LISTEN is set up again after its connection was ended', async t => {
  const { url, directUrl, pool } = await testDatabase(t)
  // With these times nothing arrives by polling within the test.
  const options = {
    connectionString: url,
    listenConnectionString: directUrl,
    pollIntervalMs: 600_000,
    leaseMs: 600_000
  }
  const publisher = createFor(t, options)
  const member = await join(createFor(t, options), 't')
  const listeners = `select pid from pg_stat_activity where datname = current_database() and query like 'listen %'`
  const [before] = (await until(async () => {
    const { rows } = await pool.query(listeners)
    return rows.length > 0 && rows
  })) as { pid: number }[]
  await publish(publisher, [message('t', 'k', 'm1')])
  await until(() => member.deliveries.length === 1)
  await pool.query('select pg_terminate_backend($1)', [before?.pid])
  await until(async () => (await pool.query(listeners)).rows.some(({ pid }) => pid !== before?.pid))
  await publish(publisher, [message('t', 'k', 'm2')])
  await until(() => member.deliveries.length === 2)
})

t.test('close ends in time while PostgreSQL does not answer', async t => {
  const { url } = await testDatabase(t)
  const proxy = await startProxy({ targetPort: Number(new URL(url).port) })
  t.teardown(() => proxy.close())
  const address = new URL(url)
  address.port = String(proxy.port)
  const transport = createFor(t, { connectionString: address.href, leaseMs: 60_000 })
  const member = await join(transport, 't', { hold: true })
  await publish(transport, [message('t', 'k', 'm')])
  await until(() => member.deliveries.length === 1)
  proxy.blackhole('both')
  let waited = false
  setTimeout(() => {
    waited = true
  }, 4500).unref()
  await transport.close(200)
  t.equal(waited, false, 'no query is waited for to its own end')
})
