import t from 'tap'
import { storeOn } from '../src/db.ts'
import { extendDeadline } from '../src/verbs/event/extend-deadline.ts'
import { markPublished } from '../src/verbs/event/mark-published.ts'
import { sweepEvents } from '../src/verbs/event/sweep-events.ts'
import { receiveDelivery } from '../src/verbs/inbox/receive-delivery.ts'
import { setAside } from '../src/verbs/inbox/set-aside.ts'
import { resendEvent } from '../src/verbs/operator/resend-event.ts'
import { body, broken, delivery, store } from './deliveries.ts'
import { seedEvent } from './seed.ts'

t.test('in a long transaction times are those of the statement, to the microsecond', async t => {
  const { pool } = await store(t)
  const ids = { marked: await seedEvent(pool), resent: await seedEvent(pool, { status: 'PARKED', due: false }) }
  const published = { status: 'PUBLISHED', due: false, count: 1 }
  const extended = await seedEvent(pool, { ...published, give_up_at: new Date('2099-01-01'), deadline: new Date(0) })
  const client = await pool.connect()
  const db = storeOn(client)
  await client.query('begin')
  const written = await seedEvent(client as never)
  await markPublished(db, [{ id: ids.marked, count: 0 }])
  await resendEvent(db, { id: ids.resent, actor: 'ann' })
  await extendDeadline(db, { id: extended, from: 'deploy' })
  await receiveDelivery(db, delivery({ key: 'a' }), 100)
  await setAside(db, delivery({ key: 'b' }), { state: 'RETRY', body, dueInMs: 0, attempts: 1, error: broken })
  // Compared in the database: a Date of JavaScript has lost the microseconds.
  const { rows } = await client.query(
    `select 'written' as what, updated_at > now() as later from steadfast.event where id = $1
     union all select 'marked', last_sent_at > now() and deadline - confirm_within_ms * interval '0.9 ms' > now() from steadfast.event where id = $2
     union all select 'resent', updated_at > now() from steadfast.event where id = $3
     union all select 'extended', deadline - confirm_within_ms * interval '1 ms' > now() from steadfast.event where id = $4
     union all select 'audited', at > now() from steadfast.audit
     union all select state, received_at > now() and coalesce(due_at > now(), true) from steadfast.inbox`,
    [written, ids.marked, ids.resent, extended]
  )
  t.same(
    rows,
    ['written', 'marked', 'resent', 'extended', 'audited', 'DONE', 'RETRY'].map(what => ({ what, later: true }))
  )
  // Late since a moment after this transaction began, and swept in it all the same.
  await client.query(`update steadfast.event set deadline = clock_timestamp() where id = $1`, [extended])
  t.same((await sweepEvents(db, { limit: 10, maxResendsOutstanding: 10 })).resent, [extended])
  await client.query('rollback')
  client.release()
})
