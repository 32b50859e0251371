import { until } from '@steadfast/dev-services'
import t from 'tap'
import { startTestLoop, type TestLoop } from './helper.ts'

// Case 4: a service dies by SIGKILL at the worst moments. Everything settles unaided, one deployment per order.

let loop: TestLoop
t.before(async () => {
  loop = await startTestLoop(t)
})

const REAL = { product: 'postgres', plan: 'small' }

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
    await loop.accountFor(t, ids)
  })
}

t.test('kill -9 of deploy while it deploys: another process goes on where it was', async t => {
  const ids = await Promise.all(Array.from({ length: 6 }, () => loop.order(REAL)))
  const begun = `select from deployment where product = 'postgres' and status = 'WORKING' and step <> 'check'`
  await until(async () => (await loop.ledgers.deploy.query(begun)).rowCount, { what: 'a deployment to begin' })
  await loop.deploy.kill9()
  await loop.accountFor(t, ids)
  t.equal((await loop.settled()).realDeployments, 6, 'each has its database on the target server')
})
