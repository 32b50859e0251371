import { type ChildProcess, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { testDatabase, until } from '@steadfast/dev-services'
import type pg from 'pg'
import t from 'tap'
import { openDatabase } from '../src/database.ts'
import { readSettings, silent } from '../src/options.ts'
import { claimLeases } from '../src/sql/claim-leases.ts'
import { readLeases } from '../src/sql/read-leases.ts'
import { createFor, join, message, publish, spread } from './create.ts'

async function owners(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query('select owner from steadfast_log.group_offset order by partition_id')
  return rows.map(row => row.owner)
}

/** Partitions per member, the largest first. */
async function shares(pool: pg.Pool): Promise<string> {
  const counts = new Map<string, number>()
  for (const owner of await owners(pool)) counts.set(owner, (counts.get(owner) ?? 0) + 1)
  return [...counts.values()].sort((a, b) => b - a).join()
}

t.test('members share fairly as they come and go, and each message has one reader', async t => {
  const { url, pool } = await testDatabase(t)
  const options = { connectionString: url }
  const publisher = createFor(t, options)
  await publisher.ensureTopics([{ name: 'topic', partitions: 5 }])
  const first = await join(createFor(t, options), 'topic')
  await until(async () => (await shares(pool)) === '5')
  const second = await join(createFor(t, options), 'topic')
  await until(async () => (await shares(pool)) === '3,2')
  const third = await join(createFor(t, options), 'topic')
  await until(async () => (await shares(pool)) === '2,2,1')
  await publish(publisher, spread('topic', 60))
  const members = [first, second, third]
  await until(() => members.reduce((n, { deliveries }) => n + deliveries.length, 0) === 60)
  t.equal(new Set(members.flatMap(member => member.texts())).size, 60)
  t.ok(members.every(({ deliveries }) => deliveries.length > 0))
  await second.subscription.close(1000)
  await until(async () => (await shares(pool)) === '3,2')
  await first.subscription.close(1000)
  await until(async () => (await shares(pool)) === '5')
  t.equal(await third.subscription.lag(), 0n)
})

t.test('a share is given back when what is out of it is done, and nothing is delivered twice', async t => {
  const { url, directUrl, pool } = await testDatabase(t)
  const options = { connectionString: url, listenConnectionString: directUrl, leaseMs: 60_000 }
  const publisher = createFor(t, options)
  await publisher.ensureTopics([{ name: 'topic', partitions: 2 }])
  await publish(publisher, spread('topic', 20))
  const first = await join(createFor(t, options), 'topic', { hold: true })
  await until(() => first.deliveries.length === 20)
  const second = await join(createFor(t, options), 'topic')
  t.equal(await shares(pool), '2', 'while deliveries are out, the partition stays')
  for (const delivery of first.deliveries) delivery.done()
  await until(async () => (await shares(pool)) === '1,1')
  await publish(publisher, spread('topic', 20, 20))
  await until(() => first.deliveries.length + second.deliveries.length === 40)
  t.equal(new Set([...first.texts(), ...second.texts()]).size, 40)
})

t.test('a process that was stopped past its lease loses it, and moves no offset when it wakes', async t => {
  const { url, pool } = await testDatabase(t)
  const transport = createFor(t, { connectionString: url })
  await transport.ensureTopics([{ name: 'topic', partitions: 1 }])
  await publish(
    transport,
    [1, 2, 3].map(n => message('topic', 'k', `m${n}`))
  )
  const file = fileURLToPath(new URL('paused-member.ts', import.meta.url))
  const child = fork(file, [JSON.stringify({ url, topic: 'topic' })], { execArgv: [] })
  t.teardown(() => end(child))
  const said: string[] = []
  let held = 0
  child.on('message', (what: { held?: number; said?: string }) => {
    held = what.held ?? held
    if (what.said) said.push(what.said)
  })
  await until(() => held === 3, { what: 'the child to hold everything' })
  child.kill('SIGSTOP')
  const heir = await join(transport, 'topic', { hold: true })
  await until(() => heir.deliveries.length === 3, { what: 'the heir to be given everything' })
  heir.deliveries[0]?.done()
  await until(async () => (await heir.subscription.lag()) === 2n)

  child.send('finish')
  child.kill('SIGCONT')
  await until(() => said.some(line => /lost a partition/.test(line)), { what: 'the child to notice' })
  const { rows } = await pool.query('select "offset", generation from steadfast_log.group_offset')
  t.same(rows, [{ offset: '1', generation: '2' }])
  for (const delivery of heir.deliveries) delivery.done()
  await until(async () => (await heir.subscription.lag()) === 0n)
})

t.test('of two members that claim at once, one gets the partition; a live lease is not taken', async t => {
  const { url, pool } = await testDatabase(t)
  const transport = createFor(t, { connectionString: url })
  await transport.ensureTopics([{ name: 'topic', partitions: 3 }])
  const db = openDatabase(readSettings({ pool }), silent)
  const ids = (await readLeases(db, 'g', ['topic'])).map(lease => lease.id)
  const members = Array.from({ length: 4 }, () => ({ group: 'g', id: randomUUID(), topics: ['topic'] }))
  const claimed = await Promise.all(members.map(member => claimLeases(db, member, ids, 60_000)))
  t.same(claimed.flatMap(leases => leases.map(lease => lease.id)).sort(), ids.sort())
  t.ok(claimed.flat().every(({ generation, offset }) => generation === 1 && offset === 0))
  await pool.query(`update steadfast_log.group_offset set expires_at = clock_timestamp() - interval '1 second'`)
  const [heir] = members
  const taken = heir ? await claimLeases(db, heir, ids, 60_000) : []
  t.same(
    taken.map(({ generation }) => generation),
    [2, 2, 2]
  )
})

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

t.test('a member that was removed as dead comes back by itself', async t => {
  const { url, pool } = await testDatabase(t)
  const transport = createFor(t, { connectionString: url })
  const member = await join(transport, 'topic')
  await pool.query('delete from steadfast_log.member')
  await pool.query(`update steadfast_log.group_offset set owner = gen_random_uuid(), generation = generation + 1,
    expires_at = clock_timestamp() + interval '300 milliseconds'`)
  await publish(transport, spread('topic', 10))
  await until(() => member.deliveries.length === 10)
  t.equal(new Set(member.texts()).size, 10)
})
