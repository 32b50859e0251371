import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '@steadfast/dev-services'
import t from 'tap'
import { placeOrders } from '../place-orders.ts'
import { startTestLoop, type TestLoop } from './helper.ts'

// Case 4: a server dies or is away under load. No 202 without its rows, everything settles unaided.

// One of the tests takes a minute by itself.
t.setTimeout(240_000)

let loop: TestLoop
t.before(async () => {
  loop = await startTestLoop(t)
})

const load = (orders: number, rate: number) =>
  placeOrders({ market: loop.market.url, orders, rate, signal: new AbortController().signal })

t.test('kill -9 of the broker under load', async t => {
  const placed = load(40, 40)
  await until(() => placed.ids.length > 10)
  await loop.broker.own?.kill9()
  await sleep(300) // while it is away
  await loop.broker.own?.restart()
  await placed.done
  await loop.accountFor(t, placed.ids)
})

t.test('PostgreSQL stopped -m immediate under load', async t => {
  const placed = load(40, 40)
  await until(() => placed.ids.length > 10)
  await loop.database.own?.stopImmediate()
  await loop.database.own?.start()
  await placed.done
  await loop.accountFor(t, placed.ids)
})

t.test('the broker is away for a minute: orders are taken, and all drains afterwards', async t => {
  await loop.broker.own?.kill9()
  const placed = load(60, 1)
  await placed.done
  t.equal(placed.retries, 0, 'each was answered 202 at the first request')
  const { rows } = await loop.ledgers.market.query('select max(count) as most from steadfast.event where due')
  t.equal(rows[0].most, 0, 'nothing counted as sent')
  await until(async () => !(await loop.market.isReady()), { what: 'market to say that it is not ready' })
  await loop.broker.own?.restart()
  await until(loop.market.isReady, { timeoutMs: 30_000, what: 'market to be ready again' })
  await loop.accountFor(t, placed.ids)
})

/** Lines of level error and above that a service has written since a place in its log. */
const errorsSince = (file: string, from: number) =>
  readFileSync(file, 'utf8')
    .slice(from)
    .split('\n')
    .filter(line => line.startsWith('{') && JSON.parse(line).level >= 50)

t.test('SIGTERM under load: exit code 0, nothing half done, no connection left, no error in the log', async t => {
  const placed = load(60, 60)
  await until(() => placed.ids.length > 15)
  const logs = [loop.market, loop.deploy].map(({ logFile }) => ({
    file: logFile,
    from: readFileSync(logFile, 'utf8').length
  }))
  t.strictSame(await Promise.all([loop.market.stop(), loop.deploy.stop()]), [0, 0])
  t.strictSame(
    logs.flatMap(({ file, from }) => errorsSince(file, from)),
    []
  )
  const { rows } = await loop.ledgers.target.query(
    `select state from pg_stat_activity where application_name in ('market', 'deploy')`
  )
  t.strictSame(rows, [])
  loop.market.start()
  loop.deploy.start()
  await placed.done
  await loop.accountFor(t, placed.ids)
})
