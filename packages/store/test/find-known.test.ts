import { fullIdOf } from '@steadfast/events'
import t from 'tap'
import { findKnown } from '../src/verbs/inbox/find-known.ts'
import { receiveDelivery } from '../src/verbs/inbox/receive-delivery.ts'
import { refuseDelivery } from '../src/verbs/inbox/refuse-delivery.ts'
import { setAside } from '../src/verbs/inbox/set-aside.ts'
import { body, broken, delivery, store } from './deliveries.ts'

const refusal = { body, outcome: 404, error: broken }

t.test('an event is known by its source, id, type and topic', async t => {
  const { db } = await store(t)
  const row = delivery()
  t.same(await findKnown(db, row), { fit: 'none' })
  await receiveDelivery(db, row, 100)
  t.match(await findKnown(db, row), { fit: 'same', known: { eventId: row.eventId } })
  t.same(await findKnown(db, { ...row, consumer: 'other' }), { fit: 'none' })
  const other = { ...row, source: 'shop' }
  t.same(await findKnown(db, other), { fit: 'other', eventId: fullIdOf(other) })
  for (const wrong of [{ type: 'market.other' }, { topic: 'other' }])
    t.equal((await findKnown(db, { ...row, ...wrong })).fit, 'reused')
})

t.test('what nobody has vouched for takes no id away', async t => {
  const { db, pool } = await store(t)
  const row = delivery()
  const unknown = { ...row, type: 'market.unheard-of' }
  await refuseDelivery(db, unknown, { ...refusal, error: { ...broken, code: 'SF_INBOX_UNKNOWN_TYPE' } })
  t.equal((await findKnown(db, unknown)).fit, 'same')
  t.same(await findKnown(db, row), { fit: 'other', eventId: fullIdOf(row) })
  await pool.query(`update steadfast.inbox set state = 'UNKNOWN', error = null`)
  t.same(await findKnown(db, row), { fit: 'other', eventId: fullIdOf(row) })
})

t.test('what stands under its full id is not stored under its own as well', async t => {
  const { db } = await store(t)
  const row = delivery()
  const eventId = fullIdOf(row)
  t.ok(await receiveDelivery(db, { ...row, eventId }, 100))
  t.notOk(await receiveDelivery(db, row, 100))
  t.notOk(await setAside(db, row, { state: 'BLOCKED', body }))
  t.notOk(await refuseDelivery(db, row, refusal))
  t.match(await findKnown(db, row), { fit: 'same', known: { eventId } })
  t.ok(await receiveDelivery(db, { ...row, source: 'shop' }, 100), 'its id is free for another source')
})
