import { createHash } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { matchWhole } from '@steadfast/dev-services'
import t from 'tap'
import { seedDelivery, seedEvent, Told } from '../../store/test/seed.ts'
import { build } from './build.ts'

const done = { status: 'PUBLISHED', due: false, count: 1 }
const keyHash = createHash('sha256').update('her').digest('hex')

t.test('erasing a key: counted, audited by a hash, and seen in the stories', async t => {
  const seen: unknown[] = []
  const listener = (message: unknown) => void seen.push(message)
  subscribe('steadfast:reconciliation:action', listener)
  t.teardown(() => unsubscribe('steadfast:reconciliation:action', listener))
  const { pool, get, post } = await build(t, { source: 'deploy' })
  const id = await seedEvent(pool, { ...done, key: 'her' }, { contract: Told })
  const parked = await seedEvent(pool, { ...done, key: 'her', status: 'PARKED' })
  const refused = await seedDelivery(pool, { state: 'REFUSED', key: 'her' })
  const held = await seedDelivery(pool, { state: 'HELD', key: 'her' })
  const erase = (more = {}) => post('/erasures', { key: 'her', note: 'request 7', ...more })
  t.match(await erase(), {
    status: 200,
    body: { events: { erased: 1, left: 1 }, deliveries: { erased: 1, left: 1 }, keyHash }
  })
  t.match(await erase(), { body: { events: { erased: 0, left: 1 }, deliveries: { erased: 0, left: 1 } } })
  t.match(await erase({ held: true }), { body: { deliveries: { erased: 1, left: 0 } } })
  t.same(seen, Array(3).fill({ action: 'erase', id: keyHash, actor: 'ann' }))
  matchWhole(t, (await get('/audit?action=erase')).body.items, [
    { actor: 'ann', note: 'request 7', details: { deliveries: 1 } },
    { details: { events: 0, deliveries: 0 } },
    { details: { keyHash, events: 1, eventsLeft: 1, deliveries: 1, deliveriesLeft: 1 } }
  ])

  const erasedAt = /^20\d\d-.*Z$/
  t.match((await get(`/events/${id}`)).body.event, {
    payload: null,
    headers: {},
    payloadHidden: false,
    erasedAt,
    erasedHash: createHash('sha256').update('{"key":"her"}').digest('hex')
  })
  t.match((await get(`/events/${parked}`)).body.event, { payload: '{"key":"her"}', erasedAt: null })
  t.match((await get(`/inbox/deploy/${refused}`)).body.delivery, { body: null, payloadHidden: false, erasedAt })
  t.same((await get('/audit?action=view')).body.items.length, 1, 'nothing was seen of what is erased')

  t.match(await post(`/events/${id}/resend`), { status: 409, body: { code: 'SF_RECONCILIATION_EVENT_ERASED' } })
  for (const delivery of [refused, held])
    t.match(await post(`/inbox/deploy/${delivery}/reprocess`), {
      status: 409,
      body: { code: 'SF_RECONCILIATION_DELIVERY_ERASED' }
    })
  t.match(await post('/events/bulk', { action: 'resend', filter: { status: 'PUBLISHED' }, note: 'n' }), {
    status: 200,
    body: { done: 0, skipped: 1 }
  })
  t.match(await post(`/inbox/deploy/${held}/release`, { note: 'n' }), { status: 200 }, 'its key goes on')
  t.match(await post(`/events/${parked}/resolve`, { note: 'n' }), { status: 200 })
  t.match(await post('/erasures', { key: 'her', note: 'n', untold: true }), { body: { events: { erased: 1 } } })
})

t.test('what is not asked rightly erases nothing', async t => {
  const { pool, post } = await build(t)
  await seedEvent(pool, done, { contract: Told })
  for (const body of [
    {},
    { key: 'k' },
    { note: 'n' },
    { key: '', note: 'n' },
    { key: 'k', note: '' },
    { key: ['k'], note: 'n' },
    { key: 'k', note: 'n', eventid: 'x' },
    { key: 'k', note: 'n', actor: 'bob' },
    { key: 'k', note: 'n', schema: 'other' },
    { key: 'k', note: 'n', held: 'yes' },
    { key: 'a\u0000', note: 'n' }
  ])
    t.match(await post('/erasures', body), { status: 400 }, JSON.stringify(body))
  const { rowCount } = await pool.query('select from steadfast.event where erased_at is not null')
  t.equal(rowCount, 0)
  t.equal((await pool.query('select from steadfast.audit')).rowCount, 0)
})
