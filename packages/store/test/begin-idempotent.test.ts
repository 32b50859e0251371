import { testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { migrate } from '../src/index.ts'
import { beginIdempotent, storeAnswer, storeOn } from '../src/internal.ts'

const request = { scope: 's', key: 'k', fingerprint: 'f', ttlMs: 1000 }
const answer = { status: 201, headers: { location: '/x' }, body: Buffer.from([0, 1]) }

t.test('a key is taken once, until it expires', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const at = (seconds: number) => new Date(Date.UTC(2030, 0, 1, 0, 0, seconds))
  t.equal(await beginIdempotent(db, request, at(0)), 'taken')
  t.equal(await storeAnswer(db, request, answer), true)
  t.same(await beginIdempotent(db, { ...request, fingerprint: 'g' }, at(0)), { ...answer, fingerprint: 'f' })
  t.equal(await beginIdempotent(db, { ...request, scope: 'other' }, at(0)), 'taken')
  t.equal(await beginIdempotent(db, { ...request, fingerprint: 'g' }, at(1)), 'taken', 'expired: taken anew')
  t.equal(await storeAnswer(db, request, answer), true)
  t.equal(await storeAnswer(db, request, answer), false, 'an answer is stored once')
  t.equal(await storeAnswer(db, { scope: 's', key: 'none' }, answer), false)
})

t.test('a key in an open transaction is in progress, told at once, until that transaction ends', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const [one, two] = await Promise.all([pool.connect(), pool.connect()])
  t.teardown(() => {
    one.release(true)
    two.release(true)
  })
  // Whoever waits for a lock fails. The limit is the session's, and stays.
  for (const client of [one, two]) await client.query(`set lock_timeout to '1ms'; begin`)
  t.equal(await beginIdempotent(storeOn(one), request), 'taken')
  t.same((await one.query('show lock_timeout')).rows, [{ lock_timeout: '1ms' }])
  t.equal(await beginIdempotent(storeOn(two), request), 'in-progress')
  t.equal(await beginIdempotent(storeOn(two), { ...request, key: 'another' }), 'taken')
  t.equal(await storeAnswer(storeOn(one), request, answer), true)
  t.equal(await beginIdempotent(storeOn(two), request), 'in-progress', 'not committed')
  await one.query('commit')
  t.same(await beginIdempotent(storeOn(two), request), { ...answer, fingerprint: 'f' })
  await one.query('begin')
  t.same(await beginIdempotent(storeOn(one), request), { ...answer, fingerprint: 'f' }, 'many may read it at once')
})

t.test('a process that dies leaves its keys free', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const [one, two] = await Promise.all([pool.connect(), pool.connect()])
  t.teardown(() => two.release(true))
  one.on('error', () => {})
  for (const client of [one, two]) await client.query('begin')
  t.equal(await beginIdempotent(storeOn(one), request), 'taken')
  const { rows } = await one.query('select pg_backend_pid() as pid')
  await two.query('select pg_terminate_backend($1, 10000)', [rows[0].pid])
  one.release(true)
  t.equal(await beginIdempotent(storeOn(two), request), 'taken')
})

t.test('of many who ask at once for a free key one takes it, whatever becomes of the others', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  for (let round = 0; round < 20; round++) {
    const named = { ...request, key: `k${round}` }
    const clients = await Promise.all(Array.from({ length: 5 }, () => pool.connect()))
    const outcomes = await Promise.all(
      clients.map(async client => {
        await client.query('begin')
        const begun = await beginIdempotent(storeOn(client), named)
        if (begun === 'taken') t.ok(await storeAnswer(storeOn(client), named, answer))
        await client.query('commit')
        client.release()
        return begun
      })
    )
    t.equal(outcomes.filter(outcome => outcome === 'taken').length, 1)
  }
})
