import { matchWhole } from '@steadfast/dev-services'
import t from 'tap'
import { erase } from '../src/index.ts'
import { listAudit, viewDelivery, viewEvent } from '../src/internal.ts'
import { store } from './deliveries.ts'
import { idFrom, seedDelivery, seedEvent } from './seed.ts'

t.test('who sees the payload of an event stands in the audit, and nobody else', async t => {
  const { pool, db } = await store(t)
  const payload = '{"n": 12345678901234567890}'
  const id = await seedEvent(pool, { payload, headers: { h: '1' }, due: false, status: 'CONFIRMED', key: 'p' })
  t.same(await viewEvent(db, { id, actor: 'ann' }), { payload, headers: { h: '1' } })
  matchWhole(t, await listAudit(db, {}, { limit: 9 }), [{ actor: 'ann', action: 'view', eventId: id, consumer: null }])
  t.same(await listAudit(db, { deeds: true }, { limit: 9 }), [])
  t.equal(await viewEvent(db, { id: idFrom(0), actor: 'ann' }), undefined)
  await erase(pool, { key: 'p', actor: 'bob', note: 'asked' })
  t.equal(await viewEvent(db, { id, actor: 'ann' }), undefined)
  t.equal((await listAudit(db, { action: 'view' }, { limit: 9 })).length, 1)
})

t.test('what cannot be noted is not seen', async t => {
  const { pool, db } = await store(t)
  const id = await seedEvent(pool)
  const eventId = await seedDelivery(pool, { state: 'HELD' })
  await pool.query('alter table steadfast.audit add constraint no check (false)')
  await t.rejects(viewEvent(db, { id, actor: 'ann' }), { code: '23514' })
  await t.rejects(viewDelivery(db, { consumer: 'deploy', eventId, actor: 'ann' }), { code: '23514' })
})

t.test('who sees the body of a delivery stands in the audit; where nothing is to be seen nobody does', async t => {
  const { pool, db } = await store(t)
  const held = await seedDelivery(pool, { state: 'HELD' })
  const headed = await seedDelivery(pool, { envelope: { headers: { h: '1' } } })
  const done = await seedDelivery(pool, { envelope: { headers: {} } })
  const view = (eventId: string, consumer = 'deploy') => viewDelivery(db, { consumer, eventId, actor: 'ann' })
  t.same(await view(held), { body: Buffer.from('{"key":"k"}'), headers: {} })
  t.same(await view(headed), { body: null, headers: { h: '1' } })
  t.equal(await view(done), undefined)
  t.equal(await view(held, 'market'), undefined)
  matchWhole(t, await listAudit(db, {}, { limit: 9 }), [
    { action: 'view', eventId: headed, consumer: 'deploy' },
    { action: 'view', eventId: held, consumer: 'deploy', actor: 'ann' }
  ])
})
