import { listenTo, matchWhole } from '@steadfast/dev-services'
import { relayOnce } from '@steadfast/relay/testing'
import t from 'tap'
import { sweepOnce } from '../src/testing.ts'
import { market, request } from './helper.ts'

const later = (date: Date | undefined, ms = 1) => new Date((date?.getTime() ?? Number.NaN) + ms)

t.test('unconfirmed by its deadline, an event goes out again: same id, one more attempt, twice the time', async t => {
  const { app, write, rows, broker } = await market(t)
  const event = request()
  await write([event])
  await relayOnce(app)
  const [first] = await rows()
  matchWhole(t, await sweepOnce(app), { resent: [], parked: [] }, 'not before the deadline')
  matchWhole(t, await sweepOnce(app, { now: later(first?.deadline, -1) }), { resent: [] })
  matchWhole(t, await sweepOnce(app, { now: later(first?.deadline) }), { resent: [event.id], parked: [] })
  await relayOnce(app)
  const [second] = await rows()
  t.match(second, { status: 'PUBLISHED', count: 2, due: false })
  t.same(broker.log, [
    { id: event.id, attempt: 1 },
    { id: event.id, attempt: 2 }
  ])
  const waits = [first, second].map(row => Number(row?.deadline) - Number(row?.last_sent_at))
  t.ok((waits[0] ?? 0) > 107_000 && (waits[0] ?? 0) < 133_000, `two minutes: ${waits[0]}`)
  t.ok((waits[1] ?? 0) > 215_000 && (waits[1] ?? 0) < 265_000, `four minutes: ${waits[1]}`)
})

t.test('resendBackoff 1 keeps the time fixed', async t => {
  const { app, write, rows } = await market(t)
  await write([request({ resendBackoff: 1 })])
  for (let n = 0; n < 5; n++) {
    await relayOnce(app)
    const [row] = await rows()
    const wait = Number(row?.deadline) - Number(row?.last_sent_at)
    t.ok(wait > 107_000 && wait < 133_000, `${wait}`)
    await sweepOnce(app, { now: later(row?.deadline) })
  }
})

t.test('four sweepers at once make it exactly one more', async t => {
  const { app, start, write, rows, broker } = await market(t)
  const apps = [app, await start(), await start(), await start()]
  const events = Array.from({ length: 40 }, () => request())
  await write(events)
  await relayOnce(app)
  const now = new Date(Math.max(...(await rows()).map(({ deadline }) => deadline.getTime())) + 1)
  for (let round = 0; round < 5; round++) await Promise.all(apps.map(a => sweepOnce(a, { now })))
  await relayOnce(app)
  t.ok((await rows()).every(({ count }) => count === 2))
  t.equal(broker.log.length, 80)
})

t.test('a consumer that is away for the whole schedule: six sends, then parked with the reason', async t => {
  const { app, write, rows, broker } = await market(t)
  const event = request()
  await write([event])
  const parked = listenTo(t, 'steadfast:store:parked')
  let waited = 0
  for (let n = 1; n <= 6; n++) {
    await relayOnce(app)
    const [row] = await rows()
    t.match(row, { status: 'PUBLISHED', count: n })
    waited += Number(row?.deadline) - Number(row?.last_sent_at)
    await sweepOnce(app, { now: later(row?.deadline) })
  }
  matchWhole(t, await rows(), [
    { status: 'PARKED', due: false, count: 6, park_reason: 'UNCONFIRMED', last_error: /sent 6 times.*by deploy/ }
  ])
  t.same(parked, [{ eventIds: [event.id], reason: 'UNCONFIRMED' }])
  t.equal(broker.log.length, 6)
  t.ok(waited > 113 * 60_000 && waited < 139 * 60_000, 'two hours and six minutes in all, give or take a tenth')
  t.match(await relayOnce(app), { sent: 0 })
})

t.test('a broker that is away uses nothing up', async t => {
  const { app, write, rows, broker } = await market(t)
  await write([request()])
  await relayOnce(app)
  const [first] = await rows()
  await sweepOnce(app, { now: later(first?.deadline) })
  broker.up = false
  for (let n = 0; n < 10; n++) {
    await relayOnce(app)
    matchWhole(t, await sweepOnce(app, { now: later(first?.deadline, 86_400_000) }), { resent: [], parked: [] })
  }
  matchWhole(t, await rows(), [{ count: 1, due: true, status: 'PUBLISHED' }])
  broker.up = true
  await relayOnce(app)
  matchWhole(t, await rows(), [{ count: 2, due: false, status: 'PUBLISHED' }])
})

t.test('resends stay within their budget while fresh events flow', async t => {
  const { app, write, rows, broker } = await market(t, { maxResendsOutstanding: 10 })
  await write(Array.from({ length: 100 }, () => request()))
  await relayOnce(app)
  const now = new Date(Date.now() + 3_600_000)
  for (let round = 0; round < 3; round++) {
    await write(Array.from({ length: 20 }, () => request()))
    await sweepOnce(app, { now })
    await sweepOnce(app, { now })
    t.equal((await rows('due and count > 0')).length, 10)
    const before = broker.log.length
    await relayOnce(app)
    const sent = broker.log.slice(before)
    t.equal(sent.filter(({ attempt }) => attempt === 1).length, 20)
    t.equal(sent.filter(({ attempt }) => attempt === 2).length, 10)
  }
})

t.test('one that is confirmed in time is never sent again; progress puts the deadline off', async t => {
  const { app, write, rows, pool, broker } = await market(t)
  await write([request(), request()])
  await relayOnce(app)
  const [one, two] = await rows()
  await pool.query(`update steadfast.event set status = 'CONFIRMED' where id = $1`, [one?.id])
  await pool.query(`update steadfast.event set deadline = deadline + interval '1 hour' where id = $1`, [two?.id])
  matchWhole(t, await sweepOnce(app, { now: later(two?.deadline, 3_599_000) }), { resent: [], parked: [] })
  await relayOnce(app)
  t.equal(broker.log.length, 2)
})
