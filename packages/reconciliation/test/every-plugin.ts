import { matchWhole, until } from '@steadfast/dev-services'
import type { Test } from 'tap'
import { type Connect, loop, type Prepare } from './two-services.ts'

/**
 * Takes two services through what every plugin does: events are sent and confirmed, refused and run again, held and
 * released, sent again when no answer comes, replayed, and compared.
 */
export async function everyPlugin(t: Test, prepare: Prepare = async () => undefined, connect?: Connect): Promise<void> {
  let fixed = false
  const handled: string[] = []
  const { market, deploy, ask, compare, statusOf } = await loop(
    t,
    key => {
      handled.push(key)
      if (key === 'silent') return 'silent'
      if (fixed) return 'answer'
      return key === 'bad' ? 'refuse' : key === 'stuck' ? 'fail' : 'answer'
    },
    prepare,
    connect
  )
  const becomes = (id: string, status: string) =>
    until(async () => (await statusOf(id)) === status, { what: `${id} is ${status}`, timeoutMs: 60_000 })

  const good = [await ask('good'), await ask('good'), await ask('good')]
  for (const id of good) await becomes(id, 'CONFIRMED')
  const bad = await ask('bad')
  await becomes(bad, 'PARKED')
  const stuck = await ask('stuck')
  await until(async () => (await deploy.get('/inbox?state=HELD')).items.length === 1, { what: 'the delivery is held' })
  await deploy.post(`/inbox/deploy/${stuck}/release`, { note: 'cancelled' })
  await becomes(stuck, 'PARKED')
  await market.post(`/events/${stuck}/resolve`, { note: 'cancelled' })
  fixed = true
  await deploy.post(`/inbox/deploy/${bad}/reprocess`, { note: 'mended' })
  await becomes(bad, 'CONFIRMED')
  matchWhole(t, await compare(), { items: [], counts: { agreeing: 5 } })
  const { event, audit } = await market.get(`/events/${bad}`)
  t.match(event, { count: 1, due: false, createdAt: /^20\d\d-.*Z$/, confirmedAt: /^20\d\d-.*Z$/ })
  matchWhole(t, audit, [{ action: 'unpark', at: /^20\d\d-.*Z$/ }])

  handled.length = 0
  const silent = await ask('silent')
  await becomes(silent, 'PUBLISHED')
  await until(() => handled.length >= 1, { what: 'it was handled, without an answer' })
  await market.pool.query(`update steadfast.event set deadline = clock_timestamp() - interval '1 s' where id = $1`, [
    silent
  ])
  t.match(await market.app.sweeper.tick(), { resent: { length: 1 }, parked: { length: 0 } })
  await until(async () => (await market.get(`/events/${silent}`)).event.count === 2, { what: 'it was sent again' })
  await until(async () => (await deploy.app.inbox.lag()) === 0n, { what: 'the duplicate was taken' })

  handled.length = 0
  const { id, total } = await deploy.post('/replays', {
    from: new Date(Date.now() - 3_600_000).toISOString(),
    note: 'again'
  })
  t.equal(total, 5)
  await until(async () => (await deploy.get(`/replays/${id}`)).state === 'ended', {
    what: 'the replay ended',
    timeoutMs: 60_000
  })
  t.match(await deploy.get(`/replays/${id}`), { done: 5, failed: 0, left: 0, missing: 0 })
  // A transaction that conflicts is rolled back and runs again, so a handler may be called more often than its effect is.
  t.same([...new Set(handled)].toSorted(), ['bad', 'good', 'silent'])
  t.same((await market.get('/counts')).events, { NEW: 0, PUBLISHED: 1, CONFIRMED: 4, PARKED: 0, RESOLVED: 1 })
  for (const service of [market, deploy])
    t.match(await service.post('/erasures', { key: 'good', note: 'asked for' }), { events: { erased: 3, left: 0 } })
  t.match((await market.get(`/events/${good[0]}`)).event, { payload: null, erasedAt: /^20\d\d-.*Z$/ })
  t.match(await market.app.relay.stats(), { due: 0, oldestDueMs: 0 })
  for (const { app } of [market, deploy]) {
    t.same(app.inbox.health(), { ready: true })
    t.equal(app.relay.health().ready, true)
    t.equal(app.transport.health().ready, true)
  }
}
