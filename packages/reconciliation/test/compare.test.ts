import { freePort, matchWhole } from '@steadfast/dev-services'
import t, { type Test } from 'tap'
import { Answered, idFrom, seedDelivery, seedEvent, Told } from '../../store/test/seed.ts'
import { build, type Json, type Service } from './build.ts'

const MINUTE = 60_000
const since = () => new Date(Date.now() - 60 * MINUTE).toISOString()
const past = new Date(Date.now() - 10 * MINUTE)
const ahead = new Date(Date.now() + 10 * MINUTE)

interface Pair {
  market: Service
  deploy: Service
}

/** Two services with a database each; deploy listens, market asks it. */
async function twoServices(t: Test): Promise<Pair> {
  const deploy = await build(t, { source: 'deploy' })
  const url = await deploy.app.listen({ port: 0, host: '127.0.0.1' })
  const market = await build(t, { peers: { deploy: { url: `${url}/reconciliation` } } })
  await market.app.listen({ port: 0, host: '127.0.0.1' })
  return { market, deploy }
}

/** A request of market as it stands on both sides. */
async function seed(
  { market, deploy }: Pair,
  here: Record<string, unknown> | null,
  there: Record<string, unknown> | null,
  { answered = false, agoMs = 30 * MINUTE } = {}
): Promise<string> {
  const id = idFrom(agoMs)
  if (here !== null) await seedEvent(market.pool, { id, due: false, ...here }, { agoMs })
  if (there !== null) await seedDelivery(deploy.pool, { event_id: id, ...there })
  if (answered) await seedEvent(deploy.pool, {}, { contract: Answered, inReplyTo: id, source: 'deploy' })
  return id
}

const healthy = async (pair: Pair) => [
  await seed(pair, { status: 'CONFIRMED' }, {}, { answered: true }),
  await seed(pair, { status: 'RESOLVED' }, { state: 'REFUSED' }),
  await seed(pair, { status: 'NEW', due: true }, null, { agoMs: 10 }),
  await seed(pair, { status: 'PUBLISHED', deadline: ahead }, null, { agoMs: 10 }),
  await seed(pair, { status: 'PUBLISHED', deadline: ahead }, { state: 'DONE' }),
  await seed(pair, { status: 'PUBLISHED', deadline: ahead }, { state: 'DONE' }, { answered: true }),
  await seed(pair, { status: 'PUBLISHED', due: true, deadline: past }, null),
  await seed(pair, { status: 'PUBLISHED', deadline: past }, { state: 'RETRY' })
]

async function compareAll(service: Service, query = '') {
  const items: Json[] = []
  const counts: Record<string, number> = {}
  let pages = 0
  let next: string | null = ''
  while (next !== null) {
    const { status, body } = await service.get(
      `/compare?peer=deploy&since=${since()}${query}${next === '' ? '' : `&after=${next}`}`
    )
    if (status !== 200) throw new Error(JSON.stringify(body))
    items.push(...body.items)
    for (const [name, n] of Object.entries(body.counts as Record<string, number>))
      counts[name] = (counts[name] ?? 0) + n
    next = body.next
    pages++
  }
  return { items, counts, pages }
}

t.test('one of each divergence is found, with the fitting action, and nothing else', async t => {
  const pair = await twoServices(t)
  await healthy(pair)
  const parked = { status: 'PARKED', park_reason: 'UNCONFIRMED' }
  const answer = idFrom(0)
  const seeded = {
    'never-arrived': await seed(pair, parked, null),
    'done-there': await seed(pair, parked, {}, { answered: true }),
    'refused-there': await seed(pair, { status: 'PARKED', park_reason: 'REFUSED' }, { state: 'REFUSED' }),
    'held-there': await seed(pair, parked, { state: 'HELD' }),
    'confirmed-without-effect': await seed(pair, { status: 'CONFIRMED' }, null),
    'effect-without-event': await seed(pair, null, {})
  }
  const overdue = await seed(pair, { status: 'PUBLISHED', deadline: past }, null)
  const unhandled = await seed(
    pair,
    { status: 'PARKED', park_reason: 'ANSWER_HELD', confirmed_by: answer },
    {},
    { answered: true }
  )
  const working = await seed(pair, parked, {})
  // what is none of this question: another peer's, another source's, before the time, awaiting nothing
  await seed(pair, { ...parked, awaits_from: 'billing' }, null)
  await seed(pair, { ...parked }, null, { agoMs: 90 * MINUTE })
  await seed(pair, null, {}, { agoMs: 90 * MINUTE })
  await seed(pair, null, { source: 'billing' })
  await seedEvent(pair.market.pool, { status: 'PUBLISHED' }, { contract: Told })

  const { items, counts } = await compareAll(pair.market)
  const found = new Map(items.map(item => [item.id, item]))
  for (const [name, id] of Object.entries(seeded)) t.equal(found.get(id)?.class, name)
  t.equal(found.get(overdue)?.class, 'never-arrived')
  t.equal(found.get(unhandled)?.class, 'done-there')
  t.equal(items.length, 8)
  t.match(counts, {
    agreeing: 2,
    'in-flight': 6,
    'at-work-there': 1,
    'never-arrived': 2,
    'done-there': 2,
    'refused-there': 1,
    'held-there': 1,
    'confirmed-without-effect': 1,
    'effect-without-event': 1
  })
  t.equal(found.get(working), undefined, 'it is at work: a late answer will un-park it')
  const first = (id: string) => found.get(id)?.actions[0]
  t.match(first(seeded['never-arrived']), {
    action: 'resend',
    at: 'market',
    method: 'POST',
    path: `/events/${seeded['never-arrived']}/resend`
  })
  t.match(first(seeded['done-there']), { action: 'resend', at: 'market' })
  t.match(first(seeded['refused-there']), {
    action: 'reprocess',
    at: 'deploy',
    path: `/inbox/deploy/${seeded['refused-there']}/reprocess`
  })
  t.match(first(seeded['held-there']), { action: 'reprocess', at: 'deploy' })
  t.match(first(unhandled), { action: 'reprocess', at: 'market', path: `/inbox/market/${answer}/reprocess` })
  t.match(found.get(seeded['effect-without-event']), {
    status: null,
    createdAt: null,
    receivedAt: String,
    type: 'market.asked',
    fate: null
  })
  t.match(found.get(seeded['refused-there']), { reason: 'REFUSED', fate: { fate: 'refused', state: 'REFUSED' } })

  for (const limit of [1, 2, 3, 5]) {
    const paged = await compareAll(pair.market, `&limit=${limit}`)
    t.same(
      paged.items.map(i => i.id),
      items.map(i => i.id),
      `the same in pages of ${limit}`
    )
    t.same(paged.counts, counts)
  }
  const early = new Date(Date.now() - 45 * MINUTE).toISOString()
  matchWhole(
    t,
    await compareAll(pair.market, `&limit=2&until=${early}`),
    { items: [], pages: 1 },
    'nothing of that time'
  )
  const all = await compareAll(pair.market, '&show=all')
  t.equal(all.items.length, 17)

  // each offered action is one that the named service takes
  for (const item of items) {
    for (const { at, path, action } of item.actions.slice(0, 1)) {
      if (item.id === unhandled) continue
      const { status } = await (at === 'market' ? pair.market : pair.deploy).post(path, { note: action })
      t.equal(status, 200, `${item.class}: ${action} at ${at}`)
    }
  }
})

t.test('nothing diverges on a healthy system while it works', async t => {
  const pair = await twoServices(t)
  await healthy(pair)
  let working = true
  // a life of a request in many small steps, each on its own, many at once
  const live = async () => {
    while (working) {
      const id = await seedEvent(pair.market.pool)
      await pair.market.pool.query(
        `update steadfast.event set status = 'PUBLISHED', due = false, deadline = clock_timestamp() + interval '1 min', updated_at = clock_timestamp() where id = $1`,
        [id]
      )
      await seedDelivery(pair.deploy.pool, { event_id: id })
      const answer = await seedEvent(pair.deploy.pool, {}, { contract: Answered, inReplyTo: id, source: 'deploy' })
      await pair.market.pool.query(
        `update steadfast.event set status = 'CONFIRMED', confirmed_by = $2, updated_at = clock_timestamp() where id = $1`,
        [id, answer]
      )
    }
  }
  const lives = [live(), live(), live()]
  let seen = 0
  for (let i = 0; i < 5; i++) {
    const { items, counts } = await compareAll(
      pair.market,
      `&limit=${[7, 50, 200, 200, 200][i]}&until=${new Date().toISOString()}`
    )
    t.same(items, [])
    seen = counts.agreeing ?? 0
  }
  working = false
  await Promise.all(lives)
  t.ok(seen > 2)
})

t.test('a request that moves between the two readings is in flight', async t => {
  const confirmed: Promise<unknown>[] = []
  let market: Service | undefined
  let id = ''
  const deploy = await build(t, {
    source: 'deploy',
    authorize: request => {
      // the answer arrives at market just while deploy is asked for the fate
      if (request.url.endsWith('/fates'))
        confirmed.push(
          market?.pool.query(
            `update steadfast.event set status = 'CONFIRMED', updated_at = clock_timestamp() where id = $1`,
            [id]
          ) as Promise<unknown>
        )
      return Promise.all(confirmed).then(() => true)
    }
  })
  const url = await deploy.app.listen({ port: 0, host: '127.0.0.1' })
  market = await build(t, { peers: { deploy: { url: `${url}/reconciliation` } } })
  id = await seed({ market, deploy }, { status: 'PUBLISHED', deadline: past }, {}, { answered: true })
  matchWhole(t, await compareAll(market), { items: [], counts: { 'in-flight': 1 } })
  matchWhole(t, await compareAll(market), { items: [], counts: { agreeing: 1 } })
})

t.test('a peer that is away or unknown is an error with its code', async t => {
  const market = await build(t, { peers: { deploy: { url: `http://127.0.0.1:${await freePort()}` } } })
  t.match(await market.get(`/compare?peer=deploy&since=${since()}`), {
    status: 502,
    body: { code: 'SF_RECONCILIATION_PEER_UNAVAILABLE', message: /ECONNREFUSED/ }
  })
  t.match(await market.get(`/compare?peer=__proto__&since=${since()}`), {
    status: 404,
    body: { code: 'SF_RECONCILIATION_PEER_UNKNOWN', message: /known are: deploy/ }
  })
  t.match(await market.get('/compare?peer=deploy'), { status: 400 })
})

t.test('fates and received, as a peer asks them', async t => {
  const { deploy } = await twoServices(t)
  const id = await seedDelivery(deploy.pool, { event_id: idFrom(5000) })
  const absent = idFrom(0)
  matchWhole(t, await deploy.post('/fates', { ids: [id, absent] }), {
    status: 200,
    body: {
      consumer: 'deploy',
      fates: [
        { id, fate: 'at-work' },
        { id: absent, fate: 'absent' }
      ]
    }
  })
  t.match(await deploy.post('/fates', { ids: [] }), { status: 400 })
  t.match(await deploy.post('/fates', { ids: Array(201).fill(id) }), { status: 400 })
  t.match(await deploy.post('/fates', { ids: ['x'] }), { status: 400 })
  matchWhole(t, await deploy.post('/fates', { ids: [id], consumer: 'other' }), {
    body: { fates: [{ fate: 'absent' }] }
  })
  matchWhole(t, await deploy.get(`/received?source=market&since=${since()}`), {
    body: { items: [{ id, state: 'DONE' }], next: null }
  })
  t.match(await deploy.get(`/received?source=market&since=${since()}&limit=1`), { body: { next: id } })
})
