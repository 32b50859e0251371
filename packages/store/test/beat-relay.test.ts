import { testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { beatRelay } from '../src/verbs/event/beat-relay.ts'
import { leaveRelay } from '../src/verbs/event/leave-relay.ts'
import { checkSchema } from './schema-check.ts'
import { idFrom } from './seed.ts'

const at = (seconds: number) => new Date(Date.UTC(2030, 0, 1, 0, 0, seconds))

t.test('the living are those who beat of late; the silent are removed', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const [a, b, c] = [idFrom(3), idFrom(2), idFrom(1)]
  const beat = (id: string, seconds: number) => beatRelay(db, id, { staleMs: 5000 }, at(seconds))
  t.same(await beat(b, 0), [b])
  t.same(await beat(a, 1), [a, b])
  t.same(await beat(c, 5), [a, b, c])
  t.same(await beat(a, 6), [a, c], 'b was silent for longer')
  t.same((await pool.query('select id from steadfast.relay order by id')).rows, [{ id: a }, { id: c }])
  t.same(await beat(b, 7), [a, b, c], 'and comes back')
  t.equal(await leaveRelay(db, a, { staleMs: 5000 }, at(8)), true, 'others are left')
  t.same(await beat(b, 8), [b, c])
  t.equal(await leaveRelay(db, b, { staleMs: 5000 }, at(20)), false, 'the other one is silent')
})

t.test('a time from a clock that was ahead keeps nobody among the living', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const [a, b] = [idFrom(2), idFrom(1)]
  const beat = (id: string, seconds: number) => beatRelay(db, id, { staleMs: 5000 }, at(seconds))
  await beat(a, 3600)
  t.same(await beat(b, 0), [b], 'whoever is an hour ahead does not live')
  t.same((await pool.query('select id from steadfast.relay')).rows, [{ id: b }])
  await beat(b, 3600)
  t.same(await beat(b, 1), [b])
  t.same(await beat(a, 2), [a, b], 'who beats now lives now, whatever time it had')
  await beat(a, 6)
  t.same(await beat(b, 2), [a, b], 'a little ahead is no matter')
})

t.test('relays that beat at once, after all were silent, do not stand in each other’s way', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const ids = Array.from({ length: 8 }, (_, n) => idFrom(100 - n))
  await Promise.all(ids.map(id => beatRelay(db, id, { staleMs: 5000 }, at(0))))
  for (let round = 1; round <= 20; round++) {
    const seen = await Promise.all(ids.map(id => beatRelay(db, id, { staleMs: 5000 }, at(round * 10))))
    t.ok(
      seen.every((living, n) => living.includes(ids[n] ?? '')),
      'each sees itself'
    )
  }
  t.same(await beatRelay(db, ids[0] ?? '', { staleMs: 5000 }, at(200)), ids)
})

t.test('names its schema', t => checkSchema(t, db => beatRelay(db, idFrom(0), { staleMs: 5000 })))
