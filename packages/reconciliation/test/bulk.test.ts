import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { matchWhole } from '@steadfast/dev-services'
import t from 'tap'
import { seedDelivery, seedEvent } from '../../store/test/seed.ts'
import type { BulkStepMessage } from '../src/index.ts'
import { build } from './build.ts'

const note = 'after the outage'

t.test('resend by filter, in steps of a limit, oldest first', async t => {
  const { pool, get, post } = await build(t, { bulkLimit: 150 })
  const ids: string[] = []
  for (let i = 0; i < 130; i++)
    ids.push(await seedEvent(pool, { status: 'PARKED', due: false, key: 'hit' }, { agoMs: 1000 - i }))
  const miss = await seedEvent(pool, { status: 'PARKED', due: false, key: 'miss' })
  const published = await seedEvent(pool, { status: 'PUBLISHED', due: false, key: 'hit' })
  const steps: string[] = []
  const listener = (message: unknown) => steps.push((message as BulkStepMessage).id)
  subscribe('steadfast:reconciliation:bulk-step', listener)
  t.teardown(() => unsubscribe('steadfast:reconciliation:bulk-step', listener))

  const body = { action: 'resend', filter: { key: 'hit' }, note }
  const first = await post('/events/bulk', { ...body, limit: 110 })
  t.match(first, { status: 200, body: { done: 110, skipped: 0, next: ids.toSorted()[109] } })
  t.match(await post('/events/bulk', { ...body, after: first.body.next }), {
    body: { done: 20, skipped: 0, next: null }
  })
  t.same(steps, ids.toSorted())
  t.match(await post('/events/bulk', body), { body: { done: 0, skipped: 130, next: null } }, 'they are due already')
  for (const id of [miss, published])
    matchWhole(t, (await get(`/events/${id}`)).body, { event: { due: false }, audit: [] })
  const { rows } = await pool.query(
    `select count(*)::int as n, count(distinct event_id)::int as ids from steadfast.audit where action = 'resend' and note = $1`,
    [note]
  )
  t.same(rows, [{ n: 130, ids: 130 }])
  t.match(await post('/events/bulk', { ...body, limit: 151 }), { status: 400 }, 'no more than bulkLimit')
})

t.test('a filter that says nothing, or what nobody knows, is refused', async t => {
  const { pool, get, post } = await build(t)
  const id = await seedEvent(pool, { status: 'PARKED', due: false })
  for (const filter of [undefined, {}, { kye: 'x' }, { key: 'k', tpye: 'x' }, { status: 'ALL' }, { status: [] }])
    t.match(await post('/events/bulk', { action: 'resolve', filter, note }), { status: 400 }, JSON.stringify(filter))
  t.match(
    await post('/events/bulk', { action: 'resolve', filter: { key: 'k' } }),
    { status: 400 },
    'a note is demanded'
  )
  t.match(await post('/events/bulk', { action: 'purge', filter: { key: 'k' }, note }), { status: 400 })
  t.match((await get(`/events/${id}`)).body, { event: { status: 'PARKED' } })
})

t.test('what moves meanwhile is left alone', async t => {
  const { pool, get, post } = await build(t)
  const ids: string[] = []
  for (let i = 0; i < 5; i++) ids.push(await seedEvent(pool, { status: 'PARKED', due: false }, { agoMs: 1000 - i }))
  const moving = ids[3]
  let moved: Promise<unknown> | undefined
  const listener = () => {
    moved ??= pool.query(`update steadfast.event set status = 'CONFIRMED' where id = $1`, [moving])
  }
  subscribe('steadfast:reconciliation:bulk-step', listener)
  t.teardown(() => unsubscribe('steadfast:reconciliation:bulk-step', listener))
  // the third is held back until the fourth has been confirmed behind the walker's back
  const blocker = await pool.connect()
  await blocker.query('begin')
  await blocker.query('select from steadfast.event where id = $1 for update', [ids[2]])
  const running = post('/events/bulk', { action: 'resolve', filter: { status: 'PARKED' }, note })
  while (moved === undefined) await new Promise(resolve => setImmediate(resolve))
  await moved
  await blocker.query('commit')
  blocker.release()
  t.match(await running, { body: { done: 4, skipped: 1, next: null } })
  matchWhole(t, (await get(`/events/${moving}`)).body, { event: { status: 'CONFIRMED' }, audit: [] })
})

t.test('it ends early when nobody waits any more, and can be taken up again', async t => {
  const { pool, app, post } = await build(t)
  for (let i = 0; i < 20; i++) await seedEvent(pool, { status: 'PARKED', due: false }, { agoMs: 1000 - i })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const controller = new AbortController()
  let steps = 0
  const listener = () => {
    if (++steps === 5) controller.abort()
  }
  subscribe('steadfast:reconciliation:bulk-step', listener)
  t.teardown(() => unsubscribe('steadfast:reconciliation:bulk-step', listener))
  const request = fetch(`${url}/reconciliation/events/bulk`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ action: 'resolve', filter: { key: 'k' }, note }),
    signal: controller.signal
  })
  await t.rejects(request, { name: 'AbortError' })
  const rest = await post('/events/bulk', { action: 'resolve', filter: { key: 'k' }, note })
  t.equal(rest.status, 200)
  const { rows } = await pool.query(`select status, count(*)::int as n from steadfast.event group by 1`)
  t.same(rows, [{ status: 'RESOLVED', n: 20 }])
  t.equal((await pool.query('select from steadfast.audit')).rowCount, 20, 'each has one audit row')
})

t.test('reprocess by filter', async t => {
  const { pool, get, post } = await build(t, { source: 'deploy' })
  for (let i = 0; i < 3; i++) await seedDelivery(pool, { state: 'HELD', key: 'a' })
  const refused = await seedDelivery(pool, { state: 'REFUSED', key: 'a' })
  await seedDelivery(pool, { state: 'HELD', key: 'b' })
  await seedDelivery(pool, { consumer: 'other', state: 'HELD', key: 'a' })
  t.match(await post('/inbox/bulk', { action: 'reprocess', filter: { key: 'a' }, note }), {
    body: { done: 3, skipped: 0, next: null }
  })
  t.match(await post('/inbox/bulk', { action: 'reprocess', filter: { key: 'a', state: 'REFUSED' }, note }), {
    body: { done: 1 }
  })
  matchWhole(t, (await get(`/inbox/deploy/${refused}`)).body, { delivery: { state: 'RETRY' }, audit: [{ note }] })
  const unknown = await seedDelivery(pool, { state: 'UNKNOWN', key: 'a' })
  t.match(await post('/inbox/bulk', { action: 'reprocess', filter: { key: 'a' }, note }), { body: { done: 0 } })
  t.match(await post('/inbox/bulk', { action: 'reprocess', filter: { state: 'UNKNOWN' }, note }), { body: { done: 1 } })
  matchWhole(t, (await get(`/inbox/deploy/${unknown}`)).body, { delivery: { state: 'RETRY' }, audit: [{ note }] })
  t.match((await get('/counts')).body.inbox, { deploy: { RETRY: 5, HELD: 1 }, other: { HELD: 1 } })
  t.match(await post('/inbox/bulk', { action: 'reprocess', filter: {}, note }), { status: 400 })
})
