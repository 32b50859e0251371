import { startCluster } from './start-cluster.ts'
import { setTimeout as sleep } from 'node:timers/promises'
const t0 = performance.now()
const c = await startCluster({ sessionTimeoutMs: 6000, confirmWithinMs: 3000 })
console.log('ready', performance.now() - t0, c.dir)
try {
  const url = c.processes[0]!.url
  const post = async (path: string, body: unknown) => {
    const r = await fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() }, body: JSON.stringify(body) })
    console.log(r.status, await r.text())
  }
  await post('/orders', { product: 'sleeper', plan: 'simulated', parameters: { durationMs: 100, failureRate: 1e-7 } })
  await post('/notes', { tag: 'a', key: 'k', behaviour: 'ok' })
  await post('/notes', { tag: 'b', key: 'k', behaviour: 'flaky' })
  await post('/notes', { tag: 'c', key: 'k', behaviour: 'refuse' })
  await post('/notes', { tag: 'd', key: 'k', behaviour: 'aside' })
  await post('/notes', { tag: 'e', key: 'k', behaviour: 'hold' })
  await sleep(9000)
  for (const s of ['market', 'deploy'] as const) {
    console.log((await c.pools[s].query('select id, type, topic, key, status, count, park_reason, last_error, due from steadfast.event order by seq')).rows)
    console.log((await c.pools[s].query('select event_id, type, state, outcome, attempts from steadfast.inbox order by arrival')).rows)
  }
  console.log((await c.pools.market.query('select * from proof.transition order by number')).rows)
} catch (e) { console.log(e) }
await c.stop({ keep: true })
