// The whole loop of two services under the eyes of reconciliation.

import { matchWhole, until } from '@steadfast/dev-services'
import t from 'tap'
import type { Json } from './build.ts'
import { loop } from './two-services.ts'

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
