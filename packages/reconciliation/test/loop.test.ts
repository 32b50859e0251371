// The whole loop of two services, with every plugin, under the eyes of reconciliation.

import postgres from '@fastify/postgres'
import { matchWhole, testDatabase, until } from '@steadfast/dev-services'
import inbox from '@steadfast/inbox'
import outbox from '@steadfast/outbox'
import relay from '@steadfast/relay'
import { migrate } from '@steadfast/store'
import sweeper from '@steadfast/sweeper'
import postgresTransport from '@steadfast/transport-postgres'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { Answered, Asked } from '../../store/test/seed.ts'
import reconciliation, { type Peer } from '../src/index.ts'
import type { Json } from './build.ts'

async function service(t: Test, source: string, logUrl: string | undefined, peers: Record<string, Peer>) {
  const { url, pool } = await testDatabase(t)
  await migrate(pool)
  const app = Fastify()
  await app.register(postgres, { connectionString: url, max: 10 })
  await app.register(postgresTransport, { connectionString: logUrl ?? url, pollIntervalMs: 20 })
  await app.register(outbox, { source, contracts: [source === 'market' ? Asked : Answered] })
  await app.register(relay, { pollIntervalMs: 20 })
  await app.register(sweeper, { schedule: false })
  await app.register(inbox, {
    ensureTopics: { partitions: 2 },
    retryPollMs: 20,
    retry: { quickRetries: 0, delaysMs: [10] }
  })
  await app.register(reconciliation, { prefix: '/r', authorize: () => ({ actor: 'ann' }), peers })
  const send = async (method: 'GET' | 'POST', path: string, payload?: object): Promise<Json> => {
    const headers = payload === undefined ? {} : { 'content-type': 'application/json' }
    const response = await app.inject({
      method,
      url: `/r${path}`,
      headers,
      ...(payload === undefined ? {} : { payload })
    })
    if (response.statusCode >= 300) throw new Error(`${path}: ${response.body}`)
    return response.json()
  }
  return {
    app,
    pool,
    url,
    get: (path: string) => send('GET', path),
    post: (path: string, body: object) => send('POST', path, body)
  }
}

/** market asks, deploy answers as `behaviour` says for the key. */
async function loop(t: Test, behaviour: (key: string) => 'answer' | 'refuse' | 'fail') {
  const deploy = await service(t, 'deploy', undefined, {})
  deploy.app.onEvent(Asked, async (request, reply) => {
    const { key } = request.body
    const what = behaviour(key)
    if (what === 'refuse') throw Object.assign(new Error('no such plan'), { statusCode: 422, code: 'NO_PLAN' })
    if (what === 'fail') throw new Error('a bug')
    await reply.sendEvent(Answered, { key })
    return reply.code(202).send()
  })
  const url = await deploy.app.listen({ port: 0, host: '127.0.0.1' })
  const market = await service(t, 'market', deploy.url, { deploy: { url: `${url}/r` } })
  market.app.onEvent(Answered, async () => {})
  await market.app.ready()
  t.teardown(() => Promise.all([market.app.close(), deploy.app.close()]))
  const ask = (key: string) => market.app.outbox.transaction(async tx => (await tx.sendEvent(Asked, { key })).id)
  const since = new Date(Date.now() - 60_000).toISOString()
  const compare = (query = '') =>
    market.get(`/compare?peer=deploy&since=${since}&until=${new Date().toISOString()}${query}`)
  const statusOf = async (id: string) => (await market.get(`/events/${id}`)).event.status
  return { market, deploy, ask, compare, statusOf }
}

t.test('nothing diverges while requests flow, and all agree in the end', async t => {
  const { market, ask, compare } = await loop(t, () => 'answer')
  const total = 100
  const asking = (async () => {
    for (let i = 0; i < total; i++) await ask(`k${i % 10}`)
  })()
  const found: Json[] = []
  const settled = () => market.get('/counts').then(counts => counts.events.CONFIRMED === total)
  do {
    let { items, next } = await compare('&limit=40')
    found.push(...items)
    while (next !== null) {
      ;({ items, next } = await compare(`&limit=40&after=${next}`))
      found.push(...items)
    }
  } while (!(await settled()))
  await asking
  t.same(found, [])
  matchWhole(t, await compare(), { items: [], counts: { agreeing: total } })
})

t.test('refused there: the offered action, once the handler is fixed, ends in a confirmation', async t => {
  let fixed = false
  const { deploy, ask, compare, statusOf, market } = await loop(t, key =>
    key === 'bad' && !fixed ? 'refuse' : 'answer'
  )
  const id = await ask('bad')
  await until(async () => (await statusOf(id)) === 'PARKED', { what: 'the refusal reached market' })
  const { items } = await compare()
  matchWhole(t, items, [
    {
      id,
      class: 'refused-there',
      reason: 'REFUSED',
      fate: { error: { code: 'NO_PLAN' } },
      actions: [
        { action: 'reprocess', at: 'deploy' },
        { action: 'resolve', at: 'market' }
      ]
    }
  ])
  fixed = true
  await deploy.post(items[0].actions[0].path, { note: 'plan added' })
  await until(async () => (await statusOf(id)) === 'CONFIRMED', { what: 'the late answer confirmed it' })
  matchWhole(t, await compare(), { items: [], counts: { agreeing: 1 } })
  matchWhole(t, await market.get(`/events/${id}`), {
    audit: [{ action: 'unpark' }],
    fate: { reachable: true, fate: { fate: 'done' } }
  })
})

t.test('held there: release tells the sender and lets the key go on', async t => {
  const failing = new Set(['stuck'])
  const { deploy, ask, compare, statusOf, market } = await loop(t, key => (failing.has(key) ? 'fail' : 'answer'))
  const held = await ask('stuck')
  await until(async () => (await deploy.get('/inbox?state=HELD')).items.length === 1, { what: 'the delivery is held' })
  const behind = await ask('stuck')
  await until(async () => (await deploy.get('/inbox?state=BLOCKED')).items.length === 1, { what: 'the next one waits' })
  t.match((await market.get(`/events/${held}`)).fate, { fate: { fate: 'held', error: { message: 'a bug' } } })
  failing.clear()
  await deploy.post(`/inbox/deploy/${held}/release`, { note: 'order was cancelled' })
  await until(async () => (await statusOf(behind)) === 'CONFIRMED', { what: 'the key went on' })
  await until(async () => (await statusOf(held)) === 'PARKED', { what: 'the sender was told' })
  const { event } = await market.get(`/events/${held}`)
  t.match(event, { parkReason: 'REFUSED', lastError: /order was cancelled/ })
  await market.post(`/events/${held}/resolve`, { note: 'cancelled' })
  matchWhole(t, await compare(), { items: [], counts: { agreeing: 2 } })
})
