import { testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { beginIdempotent, migrate, storeAnswer, storeOn } from '../src/index.ts'

const request = { scope: 's', key: 'k', fingerprint: 'f', ttlMs: 1000, waitMs: 1000 }

t.test('a key is taken once, until it expires', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const at = (seconds: number) => new Date(Date.UTC(2030, 0, 1, 0, 0, seconds))
  t.equal(await beginIdempotent(db, request, at(0)), undefined)
  await storeAnswer(db, request, { status: 201, headers: { location: '/x' }, body: Buffer.from([0, 1]) })
  const stored = { fingerprint: 'f', status: 201, headers: { location: '/x' }, body: Buffer.from([0, 1]) }
  t.same(await beginIdempotent(db, { ...request, fingerprint: 'g' }, at(0)), stored)
  t.equal(await beginIdempotent(db, { ...request, scope: 'other' }, at(0)), undefined)
  t.equal(await beginIdempotent(db, { ...request, fingerprint: 'g' }, at(1)), undefined, 'expired: taken anew')
  t.same(await beginIdempotent(db, request, at(1)), { fingerprint: 'g', status: null, headers: null, body: null })
})

t.test('a key in an open transaction is waited for, and the session keeps its own lock_timeout', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const [one, two] = await Promise.all([pool.connect(), pool.connect()])
  t.teardown(() => {
    one.release(true)
    two.release(true)
  })
  for (const client of [one, two]) await client.query(`set lock_timeout to '750ms'; begin`)
  t.equal(await beginIdempotent(storeOn(one), request), undefined)
  t.same((await one.query('show lock_timeout')).rows, [{ lock_timeout: '750ms' }])
  await t.rejects(beginIdempotent(storeOn(two), { ...request, waitMs: 20 }), { code: '55P03' })
})
