import { until } from '@steadfast/dev-services'
import t from 'tap'
import { startTestLoop, type TestLoop } from './helper.ts'

// a busy machine takes its time
t.setTimeout(240_000)

// Case 4: a service dies by SIGKILL at the worst moments. Everything settles unaided, one deployment per order.

let loop: TestLoop
t.before(async () => {
  loop = await startTestLoop(t)
})

const REAL = { product: 'postgres', plan: 'small' }

const COMMITTED = 'steadfast:outbox:after-commit'
const ACKNOWLEDGED = 'steadfast:relay:batch-sent'
const CONSUMED = 'steadfast:inbox:after-commit'

const CASES = [
  ['after the COMMIT of an order, and of a result', COMMITTED, COMMITTED],
  ["after the broker's acknowledgement and before the mark, at both", ACKNOWLEDGED, ACKNOWLEDGED],
  ["after the consumer's COMMIT and before the offset, at both", CONSUMED, CONSUMED]
] as const

for (const [words, atMarket, atDeploy] of CASES) {
  t.test(`kill -9 of market and of deploy ${words}`, async t => {
    const crashes = [loop.crashAt(loop.market, atMarket), loop.crashAt(loop.deploy, atDeploy)]
    const ids = await Promise.all([loop.order(), loop.order(), loop.order()])
    await Promise.all(crashes.map(crash => crash.crashed()))
    await loop.accountFor(t, ids)
  })
}

t.test('kill -9 of deploy while it deploys: another process goes on where it was', async t => {
  const ids = await Promise.all(Array.from({ length: 3 }, () => loop.order(REAL)))
  const begun = `select from deployment where product = 'postgres' and status = 'WORKING' and step <> 'check'`
  await until(async () => (await loop.ledgers.deploy.query(begun)).rowCount, { what: 'a deployment to begin' })
  await loop.deploy.kill9()
  await loop.accountFor(t, ids)
  t.equal((await loop.settled()).realDeployments, 3, 'each has its database on the target server')
})
