import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { matchWhole } from '@steadfast/dev-services'
import t from 'tap'
import { idFrom, seedDelivery } from '../../store/test/seed.ts'
import { build } from './build.ts'

t.test('list and story', async t => {
  const { pool, get } = await build(t, { source: 'deploy' })
  const held = await seedDelivery(pool, { event_id: idFrom(2000), state: 'HELD', error: { message: '<script>' } })
  const raw = await seedDelivery(pool, {
    event_id: idFrom(1000),
    state: 'REFUSED',
    body: Buffer.from([0xff, 0x00, 0x7b])
  })
  const other = await seedDelivery(pool, { consumer: 'other group', state: 'HELD' })
  matchWhole(t, await get('/inbox'), {
    status: 200,
    body: { items: [{ eventId: raw }, { eventId: held, error: { message: '<script>' } }], next: null }
  })
  matchWhole(t, await get('/inbox?state=HELD&limit=1'), { body: { items: [{ eventId: held }], next: held } })
  matchWhole(t, await get(`/inbox?state=HELD&limit=1&after=${held}`), { body: { items: [], next: null } })
  matchWhole(t, await get('/inbox?consumer=other%20group'), { body: { items: [{ eventId: other }] } })
  t.match(await get('/inbox?state=GONE'), { status: 400 })
  matchWhole(t, await get(`/inbox/deploy/${held}`), {
    body: {
      delivery: { state: 'HELD', body: { encoding: 'utf8', data: '{"key":"k"}' }, envelope: {} },
      audit: [],
      caused: []
    }
  })
  t.match(await get(`/inbox/deploy/${raw}`), { body: { delivery: { body: { encoding: 'base64', data: '/wB7' } } } })
  t.match(await get(`/inbox/deploy/${other}`), { status: 404, body: { code: 'SF_RECONCILIATION_DELIVERY_UNKNOWN' } })
  t.match(await get(`/inbox/other%20group/${other}`), { status: 200 })
})

t.test('reprocess: one effect, one audit row', async t => {
  const { pool, get, post } = await build(t, { source: 'deploy' })
  for (const state of ['HELD', 'REFUSED', 'UNKNOWN']) {
    const id = await seedDelivery(pool, { state, attempts: 5 })
    const answers = await Promise.all([1, 2, 3].map(() => post(`/inbox/deploy/${id}/reprocess`, { note: 'fixed' })))
    t.same(answers.map(a => a.status).toSorted(), [200, 409, 409])
    t.match(answers.find(a => a.status === 409)?.body, {
      code: 'SF_RECONCILIATION_DELIVERY_UNFIT',
      message: /cannot be reprocessed: it is RETRY/
    })
    matchWhole(t, (await get(`/inbox/deploy/${id}`)).body, {
      delivery: { state: 'RETRY', attempts: 0 },
      audit: [{ action: 'reprocess', consumer: 'deploy', note: 'fixed' }]
    })
    t.equal((await get(`/audit?eventId=${id}&action=reprocess`)).body.items.length, 1)
  }
  t.match(await post(`/inbox/deploy/${idFrom(0)}/reprocess`), { status: 404 })
})

t.test('release: refused with the note, the sender told in the same transaction, one audit row', async t => {
  const { pool, get, post } = await build(t, { source: 'deploy' })
  const id = await seedDelivery(pool, { state: 'HELD', key: 'order-1', correlation_id: 'c-1' })
  t.match(await post(`/inbox/deploy/${id}/release`), { status: 400 }, 'a note is demanded')
  const answers = await Promise.all([1, 2, 3].map(() => post(`/inbox/deploy/${id}/release`, { note: 'bad order' })))
  t.same(answers.map(a => a.status).toSorted(), [200, 409, 409])
  matchWhole(t, (await get(`/inbox/deploy/${id}`)).body, {
    delivery: { state: 'REFUSED', outcome: 422, error: { code: 'SF_RECONCILIATION_RELEASED', message: 'bad order' } },
    caused: [
      {
        type: 'steadfast.refused',
        source: 'deploy',
        topic: 'market.signals',
        key: 'order-1',
        correlationId: 'c-1',
        isAnswer: true,
        due: true,
        awaitsFrom: null
      }
    ],
    audit: [{ action: 'release', note: 'bad order' }]
  })
  const { rows } = await pool.query('select payload::text, lane from steadfast.event')
  matchWhole(t, rows, [{ lane: 45 }])
  t.match(JSON.parse(rows[0].payload), { eventId: id, consumer: 'deploy', status: 422, message: 'bad order' })
  t.equal(rows.length, 1, 'the sender is told once')
  t.equal((await get('/audit?action=release')).body.items.length, 1)

  const strange = await seedDelivery(pool, { state: 'HELD', reply_to: 'no topic!' })
  t.match(await post(`/inbox/deploy/${strange}/release`, { note: 'x' }), { status: 200 })
  const projection = await seedDelivery(pool, { consumer: 'projection', state: 'HELD' })
  t.match(await post(`/inbox/projection/${projection}/release`, { note: 'x' }), { status: 200 })
  const silent = await seedDelivery(pool, { state: 'HELD', reply_to: null })
  t.match(await post(`/inbox/deploy/${silent}/release`, { note: 'x' }), { status: 200 })
  t.equal((await pool.query('select 1 from steadfast.event')).rows.length, 1, 'nobody asked to be told')
  t.match(await post(`/inbox/deploy/${silent}/release`, { note: 'x' }), {
    status: 409,
    body: { message: /it is REFUSED/ }
  })

  const half = await seedDelivery(pool, { state: 'HELD' })
  t.match(await post(`/inbox/deploy/${half}/release`, { note: 'half of \ud83d' }), { status: 200 })
  t.match((await get(`/inbox/deploy/${half}`)).body.delivery.error, { message: 'half of \ufffd' })
})

t.test('what no process knows is released before its patience is over, the sender told as of a refusal', async t => {
  const { pool, get, post } = await build(t, { source: 'deploy' })
  const seen: unknown[] = []
  const listener = (message: unknown) => void seen.push(message)
  subscribe('steadfast:reconciliation:action', listener)
  t.teardown(() => unsubscribe('steadfast:reconciliation:action', listener))
  const unknown = {
    state: 'UNKNOWN',
    due_at: new Date(Date.now() + 3_600_000),
    error: { code: 'SF_INBOX_UNKNOWN_TYPE' }
  }
  const id = await seedDelivery(pool, unknown)
  matchWhole(t, (await get('/inbox?state=UNKNOWN')).body.items, [{ eventId: id }])
  t.match(await post(`/inbox/deploy/${id}/release`), { status: 400 }, 'a note is demanded')
  const answers = await Promise.all([1, 2].map(() => post(`/inbox/deploy/${id}/release`, { note: 'of a test' })))
  t.same(answers.map(a => a.status).toSorted(), [200, 409])
  matchWhole(t, (await get(`/inbox/deploy/${id}`)).body, {
    delivery: {
      state: 'REFUSED',
      outcome: 422,
      dueAt: null,
      error: { status: 422, code: 'SF_INBOX_UNKNOWN_TYPE', message: 'of a test' }
    },
    caused: [{ type: 'steadfast.refused', topic: 'market.signals', isAnswer: true, due: true }],
    audit: [{ action: 'release', actor: 'ann', note: 'of a test', details: { state: 'UNKNOWN' } }]
  })
  const { rows } = await pool.query('select payload from steadfast.event')
  matchWhole(t, rows, [{ payload: { eventId: id, consumer: 'deploy', status: 422, message: 'of a test' } }])
  t.same(seen, [{ action: 'release', id, actor: 'ann', consumer: 'deploy' }])

  const other = await seedDelivery(pool, { ...unknown, consumer: 'projection' })
  t.match(await post(`/inbox/projection/${other}/release`, { note: 'x' }), { status: 200 })
  t.equal((await pool.query('select from steadfast.event')).rowCount, 1, 'another group answers nobody')
})

t.test('when the signal cannot be written, nothing is released', async t => {
  const { pool, get, post } = await build(t, { source: 'deploy' })
  const id = await seedDelivery(pool, { state: 'HELD' })
  await pool.query(`alter table steadfast.event add constraint no check (false)`)
  t.match(await post(`/inbox/deploy/${id}/release`, { note: 'x' }), { status: 500 })
  matchWhole(t, (await get(`/inbox/deploy/${id}`)).body, { delivery: { state: 'HELD' }, audit: [] })
})
