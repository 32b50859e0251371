import { claimReplay, storeOn } from '@steadfast/store/internal'
import t from 'tap'
import { idFrom, seedDelivery } from '../../store/test/seed.ts'
import { build, type Json } from './build.ts'

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
      answers: 'none',
      state: 'waiting',
      total: 0,
      requestedBy: 'ann',
      stoppedAt: null,
      endedAt: null
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
    note: 'x'
  })
  t.match(second, { status: 201, body: { untilTime: '2026-01-01T22:00:00.000Z', answers: 'none' } })
  t.match(await post('/replays', { from, until: from, note: 'x' }), {
    status: 400,
    body: { code: 'SF_RECONCILIATION_RANGE_INVALID' }
  })
  t.match(await post('/replays', { from, until: from }), { status: 400 }, 'a note is demanded')
  for (const answers of ['stored', 'corrected'])
    t.match(await post('/replays', { consumer: 'projection', from, answers, note: 'x' }), {
      status: 400,
      body: { code: 'SF_RECONCILIATION_ANSWERS_INVALID' }
    })
  const first = await get('/replays?limit=1')
  t.same(
    first.body.items.map(({ id, done }: Json) => [id, done]),
    [[second.body.id, 0]]
  )
  t.equal(first.body.next, second.body.id)
  const rest = await get(`/replays?after=${second.body.id}`)
  t.same(
    rest.body.items.map(({ id }: Json) => id),
    [started.body.id]
  )
  t.equal(rest.body.next, null)
  const stops = await Promise.all([1, 2].map(() => post(`/replays/${started.body.id}/stop`, {})))
  t.same(stops.map(s => s.status).toSorted(), [200, 404])
  t.match(await post(`/replays/${idFrom(0)}/stop`), { status: 404, body: { code: 'SF_RECONCILIATION_REPLAY_UNKNOWN' } })
  const { items } = (await get('/audit')).body
  t.match(items[0], { action: 'stop-replay' })
  t.match(items[1], { action: 'replay', consumer: 'projection' })
  t.match(items[2], { action: 'replay', note: 'column was wrong', details: { id: started.body.id } })
  t.equal(items.length, 3)
})

t.test('how a replay stands: what is done, what failed and why, what is left', async t => {
  const { pool, get, post } = await build(t, { source: 'deploy' })
  const ids = [await seedDelivery(pool), await seedDelivery(pool), await seedDelivery(pool)].toSorted()
  const [done, failed, left] = ids as [string, string, string]
  const { body } = await post('/replays', { from: '2026-01-01T00:00:00Z', answers: 'corrected', note: 'x' })
  t.match(body, { answers: 'corrected', total: 3, state: 'waiting' })
  const claim = { replayId: body.id, consumer: 'deploy' }
  await claimReplay(storeOn(pool), { ...claim, eventId: done })
  await claimReplay(storeOn(pool), { ...claim, eventId: failed, error: { message: 'still broken' } })
  t.match(await get(`/replays/${body.id}`), {
    status: 200,
    body: { total: 3, done: 1, failed: 1, left: 1, missing: 0 }
  })
  const items = async (query: string) =>
    (await get(`/replays/${body.id}/items${query}`)).body.items.map(({ eventId, state, error }: Json) => [
      eventId,
      state,
      error?.message
    ])
  t.same(await items(''), [
    [done, 'DONE', undefined],
    [failed, 'FAILED', 'still broken'],
    [left, 'LEFT', undefined]
  ])
  t.same(await items('?state=FAILED'), [[failed, 'FAILED', 'still broken']])
  t.match(await get(`/replays/${idFrom(0)}`), { status: 404, body: { code: 'SF_RECONCILIATION_NO_REPLAY' } })
})

t.test('how far the groups are, where there is an inbox', async t => {
  const { get } = await build(t)
  t.match(await get('/inbox/lag'), { status: 503, body: { code: 'SF_RECONCILIATION_NO_INBOX' } })
  const service = await build(t, {}, app => app.decorate('inbox', { lag: async () => 7n } as never))
  t.same(await service.get('/inbox/lag'), { status: 200, body: { lag: 7 } })
})
