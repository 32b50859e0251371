import { testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { listInbox } from '../src/verbs/operator/list-inbox.ts'
import { idFrom, seedDelivery } from './seed.ts'

t.test('filters and pages', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const held = await seedDelivery(pool, {
    event_id: idFrom(3000),
    state: 'HELD',
    key: 'a',
    error: { message: `50% off'; --` }
  })
  const done = await seedDelivery(pool, { event_id: idFrom(2000), source: 'billing', type: 'billing.paid' })
  await seedDelivery(pool, { consumer: 'other' })
  const ids = async (filter: object, page = {}) =>
    (await listInbox(db, { consumer: 'deploy', ...filter }, { limit: 9, ...page })).map(d => d.eventId)
  t.same(await ids({}), [done, held])
  t.same(await ids({}, { order: 'oldest' }), [held, done])
  t.same(await ids({ state: ['HELD', 'RETRY'] }), [held])
  t.same(await ids({ type: 'billing.paid' }), [done])
  t.same(await ids({ key: 'a' }), [held])
  t.same(await ids({ source: 'billing' }), [done])
  t.same(await ids({ search: `50% OFF'; --` }), [held])
  t.same(await ids({ search: '%zzz' }), [])
  t.same(await ids({}, { limit: 1 }), [done])
  t.same(await ids({}, { limit: 1, after: done }), [held])
  const [row] = await listInbox(db, { consumer: 'deploy' }, { limit: 1 })
  t.notOk(row && ('body' in row || 'envelope' in row), 'no body in a list')
})
