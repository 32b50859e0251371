import { randomUUID } from 'node:crypto'
import t from 'tap'
import { extendDeadline } from '../src/verbs/event/extend-deadline.ts'
import { parkEvent } from '../src/verbs/event/park-event.ts'
import { getEvent } from '../src/verbs/operator/get-event.ts'
import { store } from './deliveries.ts'
import { seedEvent } from './seed.ts'

t.test('a verdict parks what still waits, from whom it is awaited', async t => {
  const { db, pool } = await store(t)
  for (const [status, fit] of [
    ['NEW', true],
    ['PUBLISHED', true],
    ['CONFIRMED', false],
    ['PARKED', false],
    ['RESOLVED', false]
  ] as const) {
    const id = await seedEvent(pool, { status, due: status === 'NEW' })
    const parking = { id, reason: 'REFUSED' as const, error: 'no stock' }
    t.notOk(await parkEvent(db, { ...parking, from: 'impostor' }))
    t.equal(await parkEvent(db, { ...parking, from: 'deploy' }), fit, status)
    t.match(
      await getEvent(db, id),
      fit ? { status: 'PARKED', parkReason: 'REFUSED', lastError: 'no stock', due: status === 'NEW' } : { status }
    )
  }
  const late = await seedEvent(pool, { status: 'PARKED', park_reason: 'UNCONFIRMED' })
  t.ok(
    await parkEvent(db, { id: late, reason: 'REFUSED', error: 'no stock', from: 'deploy' }),
    'late, it gives the reason'
  )
  t.match(await getEvent(db, late), { status: 'PARKED', parkReason: 'REFUSED', lastError: 'no stock' })
  t.notOk(await parkEvent(db, { id: late, reason: 'ANSWER_HELD', error: 'x', from: 'deploy' }), 'once')
  const id = await seedEvent(pool, { status: 'PUBLISHED' })
  const answer = randomUUID()
  t.ok(await parkEvent(db, { id, reason: 'ANSWER_HELD', error: 'x', confirmedBy: answer }))
  t.match(await getEvent(db, id), { parkReason: 'ANSWER_HELD', confirmedBy: answer })
})

t.test('progress gives the current span anew, never a shorter one, never past give_up_at', async t => {
  const { db, pool } = await store(t)
  const now = new Date('2030-01-01T00:00:00Z')
  const at = (ms: number) => new Date(now.getTime() + ms)
  const span = {
    status: 'PUBLISHED',
    due: false,
    confirm_within_ms: 1000,
    resend_backoff: 2,
    count: 3,
    deadline: now,
    give_up_at: at(60_000)
  }
  const extended = async (columns: object, from = 'deploy', when = now) => {
    const id = await seedEvent(pool, { ...span, ...columns })
    const done = await extendDeadline(db, { id, from }, when)
    const event = await getEvent(db, id)
    t.equal(event?.count, (columns as { count?: number }).count ?? 3, 'uncounted')
    return done && event?.deadline
  }
  t.same(await extended({}), at(4000))
  t.same(await extended({ count: 1 }), at(1000))
  t.same(await extended({ deadline: at(9000) }), at(9000))
  t.same(await extended({ give_up_at: at(2500) }), at(2500))
  t.same(await extended({ count: 60 }), at(60_000))
  t.same(await extended({ count: 60, resend_backoff: 1e30 }), at(60_000), 'whatever overflows')
  t.equal(await extended({ give_up_at: now }), false)
  t.equal(await extended({}, 'impostor'), false)
  for (const status of ['NEW', 'CONFIRMED', 'PARKED', 'RESOLVED']) t.equal(await extended({ status }), false, status)
})
