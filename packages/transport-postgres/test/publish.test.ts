import { testDatabase, until } from '@steadfast/dev-services'
import type { QueryConfig } from 'pg'
import t from 'tap'
import { createFor, join, message, outcomes, publish, spread } from './create.ts'

t.test('a topic that nobody made is made by the first message, with `partitions`', async t => {
  const { url, pool } = await testDatabase(t)
  const transport = createFor(t, { connectionString: url, partitions: 3 })
  t.same(outcomes(await publish(transport, spread('new', 3))), ['ok', 'ok', 'ok'])
  await transport.ensureTopics([{ name: 'new', partitions: 9 }])
  const { rows } = await pool.query('select topic, partition from steadfast_log.partition order by 2')
  t.same(
    rows,
    [0, 1, 2].map(partition => ({ topic: 'new', partition }))
  )
})

t.test('a batch of many bytes goes in steps, and whole', async t => {
  const { url } = await testDatabase(t)
  const transport = createFor(t, { connectionString: url, publishTimeoutMs: 20_000 })
  const batch = Array.from({ length: 200 }, (_, i) => ({ ...message('t', 'k', ''), value: Buffer.alloc(90_000, i) }))
  t.ok((await publish(transport, batch)).every(result => result.ok))
  const member = await join(transport, 't', { maxInFlight: 1000 })
  await until(() => member.deliveries.length === 200)
  t.ok(member.deliveries.every(({ raw }, i) => raw.length === 90_000 && raw[0] === i))
})

t.test('what PostgreSQL cannot hold is refused alone', async t => {
  const { url } = await testDatabase(t)
  const transport = createFor(t, { connectionString: url })
  const batch = [message('t', 'a\0b', '1'), message('t', 'a', '2'), message('t\0', 'a', '3'), message('t', 'a\0b', '4')]
  t.same(outcomes(await publish(transport, batch)), ['refused', 'ok', 'refused', 'refused'])
  const headers = { 'x\0': Buffer.from('\0'), __proto: Buffer.from('p') }
  t.same(outcomes(await publish(transport, [{ ...message('t', 'a', '5'), headers }])), ['ok'])
  const member = await join(transport, 't')
  await until(() => member.deliveries.length === 2)
  t.same(member.deliveries[1]?.headers, headers)
})

t.test('publishers that take partitions in opposite orders do not wait for each other in a circle', async t => {
  const { url, pool } = await testDatabase(t)
  const transports = Array.from({ length: 4 }, () => createFor(t, { connectionString: url, publishTimeoutMs: 10_000 }))
  await transports[0]?.ensureTopics([{ name: 't', partitions: 8 }])
  const results = await Promise.all(
    transports.map(async (transport, i) => {
      const batch = i % 2 === 0 ? spread('t', 40) : spread('t', 40).reverse()
      const all = []
      for (let round = 0; round < 25; round++) all.push(...(await publish(transport, batch)))
      return all
    })
  )
  t.ok(results.flat().every(result => result.ok))
  const { rows } = await pool.query(`select bool_and(next_offset = count and last = count - 1) as dense from (
    select p.next_offset, count(*) as count, max(r."offset") as last
    from steadfast_log.partition p join steadfast_log.record r on r.partition_id = p.id group by p.id) x`)
  t.same(rows, [{ dense: true }], 'offsets have no gaps')
})

t.test('a reader at the same time never sees an offset before those under it', async t => {
  const { url, pool } = await testDatabase(t)
  const transports = Array.from({ length: 3 }, () => createFor(t, { connectionString: url, publishTimeoutMs: 10_000 }))
  await transports[0]?.ensureTopics([{ name: 't', partitions: 1 }])
  let publishing = true
  const work = Promise.all(
    transports.map(async transport => {
      for (let round = 0; round < 40; round++) await publish(transport, spread('t', 5))
    })
  ).then(() => {
    publishing = false
  })
  while (publishing) {
    const { rows } = await pool.query('select count(*) as count, max("offset") + 1 as next from steadfast_log.record')
    if (rows[0].count !== (rows[0].next ?? '0')) t.fail(`${rows[0].count} records up to ${rows[0].next}`)
  }
  await work
  t.equal((await pool.query('select count(*) as n from steadfast_log.record')).rows[0].n, '600')
})

t.test('a topic that was deleted under a running client fails the batch, and is made anew', async t => {
  const { url, pool } = await testDatabase(t)
  const transport = createFor(t, { connectionString: url })
  await publish(transport, spread('t', 2))
  await publish(transport, spread('other', 2))
  await pool.query(`delete from steadfast_log.topic where name = 't'`)
  const results = await publish(transport, [...spread('t', 2), ...spread('other', 2)])
  t.same(outcomes(results), ['unavailable', 'unavailable', 'unavailable', 'unavailable'])
  const { rows } = await pool.query('select count(*) as n from steadfast_log.record')
  t.equal(rows[0].n, '2', 'nothing of the failed batch is stored')
  t.ok((await publish(transport, spread('t', 2))).every(result => result.ok))
  await until(() => transport.health().ready)
})

t.test('what a failure says of a message: only the word of the server is proof that it was not stored', async t => {
  const { pool } = await testDatabase(t)
  let failure: object | undefined
  const failing = new Proxy(pool, {
    get(target, name) {
      if (name !== 'connect') return Reflect.get(target, name).bind?.(target) ?? Reflect.get(target, name)
      return async () => {
        const client = await target.connect()
        const query = async (statement: string | QueryConfig, values: unknown[]) => {
          const { text } = typeof statement === 'string' ? { text: statement } : statement
          const fails = text.includes('incoming') && failure
          if (fails) throw Object.assign(new Error('injected'), fails)
          return client.query(statement, values)
        }
        return { query, on() {}, off() {}, release: (error?: Error) => client.release(error) }
      }
    }
  })
  const transport = createFor(t, { pool: failing, notify: false })
  const outcome = async (what: object | undefined) => {
    failure = what
    return outcomes(await publish(transport, [message('t', 'k', 'm')]))[0]
  }
  t.equal(await outcome(undefined), 'ok')
  t.equal(await outcome({ code: '53100', severity: 'ERROR' }), 'unavailable', 'disk full')
  t.equal(await outcome({ code: '25006', severity: 'FEHLER' }), 'unavailable', 'read-only, in another language')
  t.equal(await outcome({ code: '57P01', severity: 'FATAL' }), 'unknown', 'ended by an administrator')
  t.equal(await outcome({ code: 'EPIPE' }), 'unknown', 'the connection broke')
  t.equal(await outcome({}), 'unknown')
  t.equal(await outcome(undefined), 'ok')
})

t.test('a closed transport answers and does not hang', async t => {
  const { url } = await testDatabase(t)
  const transport = createFor(t, { connectionString: url })
  await publish(transport, spread('t', 1))
  await transport.close(1000)
  t.same(outcomes(await publish(transport, spread('t', 2))), ['unavailable', 'unavailable'])
  await t.rejects(join(transport, 't'), { code: 'SF_TRANSPORT_POSTGRES_CLOSED' })
  t.match(transport.health(), { ready: false, reason: 'closed' })
})
