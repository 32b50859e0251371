import { matchWhole } from '@steadfast/dev-services'
import t from 'tap'
import { idFrom, seedDelivery } from '../../store/test/seed.ts'
import { build } from './build.ts'

t.test('start, list, stop, each audited once', async t => {
  const { pool, get, post } = await build(t, { source: 'deploy' })
  const from = '2026-01-01T00:00:00.000Z'
  const started = await post('/replays', { from, note: 'column was wrong' })
  t.match(started, {
    status: 201,
    body: {
      consumer: 'deploy',
      fromTime: from,
      untilTime: String,
      resendAnswers: false,
      requestedBy: 'ann',
      stoppedAt: null
    }
  })
  t.match(await post('/replays', { consumer: 'projectoin', from, note: 'x' }), {
    status: 404,
    body: { code: 'SF_RECONCILIATION_CONSUMER_UNKNOWN' }
  })
  await seedDelivery(pool, { consumer: 'projection' })
  const second = await post('/replays', {
    consumer: 'projection',
    from,
    until: '2026-01-02T00:00:00+02:00',
    resendAnswers: true,
    note: 'x'
  })
  t.match(second, { status: 201, body: { untilTime: '2026-01-01T22:00:00.000Z', resendAnswers: true } })
  t.match(await post('/replays', { from, until: from, note: 'x' }), {
    status: 400,
    body: { code: 'SF_RECONCILIATION_RANGE_INVALID' }
  })
  t.match(await post('/replays', { from, until: from }), { status: 400 }, 'a note is demanded')
  matchWhole(t, await get('/replays?limit=1'), {
    body: { items: [{ id: second.body.id, done: 0 }], next: second.body.id }
  })
  matchWhole(t, await get(`/replays?after=${second.body.id}`), {
    body: { items: [{ id: started.body.id }], next: null }
  })
  const stops = await Promise.all([1, 2].map(() => post(`/replays/${started.body.id}/stop`, {})))
  t.same(stops.map(s => s.status).toSorted(), [200, 404])
  t.match(await post(`/replays/${idFrom(0)}/stop`), { status: 404, body: { code: 'SF_RECONCILIATION_REPLAY_UNKNOWN' } })
  const { items } = (await get('/audit')).body
  matchWhole(t, items, [
    { action: 'stop-replay' },
    { action: 'replay', consumer: 'projection' },
    { action: 'replay', note: 'column was wrong', details: { id: started.body.id } }
  ])
  t.equal(items.length, 3)
})
