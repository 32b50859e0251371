import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '@steadfast/dev-services'
import t from 'tap'
import { countMissing } from '../count-figures.ts'
import { placeOrders } from '../place-orders.ts'
import { startTestLoop, type TestLoop } from './helper.ts'

// Case 4: whoever dies, wherever: no 202 without its rows, everything settles unaided, one deployment per order.

let loop: TestLoop
t.before(async () => {
  loop = await startTestLoop(t)
})

const REAL = { product: 'postgres', plan: 'small' }

async function accountFor(t: Tap, ids: readonly string[]) {
  const figures = await loop.settled()
  t.equal(await countMissing(loop.ledgers.market, ids), 0, 'every acknowledged order has its rows')
  t.equal(figures.deployed, figures.accepted, 'one deployment per order')
  t.equal(figures.duplicateDeployments, 0, 'none doubled')
  t.equal(figures.parked, 0, 'none left for a person')
}
interface Tap {
  equal(found: unknown, wanted: unknown, message: string): unknown
}

const load = (orders: number, rate: number) =>
  placeOrders({ market: loop.market.url, orders, rate, signal: new AbortController().signal })

const POINTS = [
  ['market', 'steadfast:outbox:after-commit', 'after COMMIT'],
  ['market', 'steadfast:relay:batch-sent', "after the broker's acknowledgement, before the mark"],
  ['market', 'steadfast:inbox:after-commit', "after the consumer's COMMIT, before the offset"],
  ['deploy', 'steadfast:inbox:after-commit', "after the consumer's COMMIT, before the offset"],
  ['deploy', 'steadfast:outbox:after-commit', 'after the COMMIT of a result'],
  ['deploy', 'steadfast:relay:batch-sent', "after the broker's acknowledgement of a result, before the mark"]
] as const

for (const [name, point, words] of POINTS) {
  t.test(`kill -9 of ${name} ${words}`, async t => {
    const crash = loop.crashAt(loop[name], point)
    const ids = await Promise.all([loop.order(), loop.order(), loop.order()])
    await crash.crashed()
    await accountFor(t, ids)
  })
}

t.test('kill -9 of deploy while it deploys: another process goes on where it was', async t => {
  const ids = await Promise.all(Array.from({ length: 6 }, () => loop.order(REAL)))
  const begun = `select from deployment where product = 'postgres' and status = 'WORKING' and step <> 'check'`
  await until(async () => (await loop.ledgers.deploy.query(begun)).rowCount, { what: 'a deployment to begin' })
  await loop.deploy.kill9()
  await accountFor(t, ids)
  t.equal((await loop.settled()).realDeployments, 6, 'each has its database on the target server')
})

t.test('kill -9 of the broker under load', async t => {
  const placed = load(40, 40)
  await until(() => placed.ids.length > 10)
  await loop.broker.own?.kill9()
  await sleep(300) // while it is away
  await loop.broker.own?.restart()
  await placed.done
  await accountFor(t, placed.ids)
})

t.test('PostgreSQL stopped -m immediate under load', async t => {
  const placed = load(40, 40)
  await until(() => placed.ids.length > 10)
  await loop.database.own?.stopImmediate()
  await loop.database.own?.start()
  await placed.done
  await accountFor(t, placed.ids)
})

t.test('the broker is away for a while: orders are taken, and all drains afterwards', async t => {
  await loop.broker.own?.kill9()
  const placed = load(30, 30)
  await placed.done
  t.equal(placed.retries, 0, 'each was answered 202 at the first request')
  const { rows } = await loop.ledgers.market.query('select max(count) as most from steadfast.event where due')
  t.equal(rows[0].most, 0, 'nothing counted as sent')
  await until(async () => !(await loop.market.isReady()), { what: 'market to say that it is not ready' })
  await loop.broker.own?.restart()
  await until(loop.market.isReady, { timeoutMs: 30_000, what: 'market to be ready again' })
  await accountFor(t, placed.ids)
})

t.test('SIGTERM under load: exit code 0, nothing half done, no connection left', async t => {
  const placed = load(60, 60)
  await until(() => placed.ids.length > 15)
  t.strictSame(await Promise.all([loop.market.stop(), loop.deploy.stop()]), [0, 0])
  const { rows } = await loop.ledgers.target.query(
    `select state from pg_stat_activity where application_name in ('market', 'deploy')`
  )
  t.strictSame(rows, [])
  loop.market.start()
  loop.deploy.start()
  await placed.done
  await accountFor(t, placed.ids)
})
