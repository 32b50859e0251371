import { randomUUID } from 'node:crypto'
import { matchWhole, type TestDatabase, until } from '@steadfast/dev-services'
import { deliver } from '@steadfast/inbox/testing'
import { DeploymentFailed, DeploymentRequested, DeploymentSucceeded } from '@steadfast-examples/contracts'
import t from 'tap'
import { claimDue } from '../deployments/claim-due.ts'
import { finishDeployment } from '../deployments/finish-deployment.ts'
import { saveStep } from '../deployments/save-step.ts'
import { derivePassword } from '../provision/derive-password.ts'
import { build, deployDatabase } from './helper.ts'

const SMALL = { product: 'postgres', plan: 'small' }

const finished = ({ pool }: TestDatabase, howMany: number) =>
  until(async () => (await pool.query(`select from deployment where status <> 'WORKING'`)).rowCount === howMany, {
    what: `${howMany} deployments to end`
  })
const count = async ({ pool }: TestDatabase, text: string): Promise<number> =>
  (await pool.query(`select count(*)::int as n ${text}`)).rows[0].n

t.test('a request becomes a database, and its answer says where; a duplicate changes nothing', async t => {
  const database = await deployDatabase(t)
  const app = await build(t, database)
  const id = randomUUID()
  const data = { orderId: randomUUID(), ...SMALL }
  const from = { id, source: 'market', replyTo: 'market.signals' }
  await deliver(app, DeploymentRequested, data, from)
  await deliver(app, DeploymentRequested, data, from)
  await finished(database, 1)
  await deliver(app, DeploymentRequested, data, from)

  const shown = await app.inject(`/deployments/${id}`)
  t.match(shown.json(), { id, orderId: data.orderId, status: 'READY', access: { database: /^t\d+_[0-9a-f]{32}$/ } })
  const { rows } = await database.pool.query('select type, causation_id, payload from steadfast.event where is_answer')
  matchWhole(t, rows, [{ type: DeploymentSucceeded.type, causation_id: id, payload: { deploymentId: id } }])
  t.equal(rows.length, 1)
  const password = derivePassword('a secret of the tests', id)
  const everything = await database.pool.query(
    'select d::text as text from deployment d union all select e::text from steadfast.event e union all select i::text from steadfast.inbox i'
  )
  t.equal(everything.rows.filter(({ text }) => text.includes(password)).length, 0, 'the password is in no table')
})

t.test('a plan that cannot be met, or that nobody knows, ends in an answer with the reason', async t => {
  const database = await deployDatabase(t)
  const app = await build(t, database)
  for (const plan of ['huge', 'none'])
    await deliver(app, DeploymentRequested, { orderId: randomUUID(), product: 'postgres', plan }, { source: 'market' })
  const wrong = { orderId: randomUUID(), product: 'redis', plan: 'small' }
  await deliver(app, DeploymentRequested, wrong, { source: 'market' })
  await finished(database, 3)
  const { rows } = await database.pool.query(
    `select type, payload->>'reason' as reason from steadfast.event where is_answer`
  )
  t.strictSame(new Set(rows.map(({ type }) => type)), new Set([DeploymentFailed.type]))
  matchWhole(t, rows.map(({ reason }) => reason).sort(), [/connections/, /no plan none/, /redis/])
})

t.test('two workers share the work, and each deployment ends once', async t => {
  const database = await deployDatabase(t)
  const [one] = [await build(t, database), await build(t, database)]
  for (let i = 0; i < 6; i++)
    await deliver(one, DeploymentRequested, { orderId: randomUUID(), ...SMALL }, { source: 'market' })
  await finished(database, 6)
  t.equal(await count(database, `from deployment where status = 'READY'`), 6)
  t.equal(await count(database, 'from steadfast.event where is_answer'), 6)
})

t.test('a lease keeps others away until it ends; whoever lost it changes nothing any more', async t => {
  const database = await deployDatabase(t)
  const app = await build(t, database)
  await app.close()
  const { pool } = database
  const id = randomUUID()
  await pool.query(
    `insert into deployment (id, order_id, product, plan, parameters) values ($1, $2, 'postgres', 'small', '{}')`,
    [id, randomUUID()]
  )
  const [killed, other] = [randomUUID(), randomUUID()]
  const claim = (worker: string) => claimDue(pool, { worker, leaseMs: 60_000, limit: 10 })
  matchWhole(t, await claim(killed), [{ id, step: 'check' }])
  t.strictSame(await claim(other), [], 'leased')
  await pool.query(`update deployment set leased_until = clock_timestamp() - interval '1 ms'`)
  matchWhole(t, await claim(other), [{ id, step: 'check' }], 'the lease ran out')
  t.equal(await finishDeployment(pool, id, killed, { reason: 'too late' }), false)
  await saveStep(pool, id, killed, { step: 'poll', afterMs: 0, attempts: 0, error: null })
  t.same((await pool.query('select step, status from deployment')).rows, [{ step: 'check', status: 'WORKING' }])
  t.equal(await finishDeployment(pool, id, other, { access: null }), true)
})

t.test('thousands sleep at once without a timer each, and wake in batches', async t => {
  const database = await deployDatabase(t)
  const app = await build(t, database)
  const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  const before = timers()
  await database.pool.query(
    `insert into deployment (id, order_id, product, plan, parameters, step, due_at, progress_at)
     select gen_random_uuid(), gen_random_uuid(), 'sleeper', 'simulated',
       case n when 1 then '{"failureRate":2e-136}' else json_build_object('failureRate', 0.25) end, 'sleep',
       clock_timestamp() + n % 10 * interval '100 ms', clock_timestamp() + interval '1 hour' from generate_series(1, 3000) as n`
  )
  t.ok(timers() < before + 20, 'as many timers as before')
  await finished(database, 3000)
  t.equal(await count(database, 'from steadfast.event where is_answer'), 3000, 'one answer each')
  const failed = await count(database, `from deployment where status = 'FAILED'`)
  t.ok(failed > 600 && failed < 900, `about a quarter fails, as failureRate says: ${failed}`)
  t.equal(await count(database, `from steadfast.event where type = '${DeploymentFailed.type}'`), failed)
  const page = (await app.inject('/deployments?status=FAILED&limit=2')).json()
  const next = (await app.inject(`/deployments?status=FAILED&limit=2&before=${page.next}`)).json()
  const urn = await app.inject(`/deployments?before=urn:uuid:${page.next}`)
  t.equal(urn.json().code, 'FST_ERR_VALIDATION', 'PostgreSQL takes no URN')
  t.ok(page.deployments[1].id > next.deployments[0].id, 'page after page')
  const { paths } = (await app.inject('/docs/json')).json()
  t.notOk(
    paths['/deployments'].get.parameters.some(({ required }: { required?: boolean }) => required),
    'what has a default may be left out'
  )
})

t.test('while work goes on, its asker is told', async t => {
  const database = await deployDatabase(t)
  const app = await build(t, database, { PROGRESS_EVERY_MS: '50' })
  const long = { orderId: randomUUID(), product: 'sleeper', plan: 'simulated', parameters: { durationMs: 600_000 } }
  await deliver(app, DeploymentRequested, long, { source: 'market', replyTo: 'market.signals' })
  await until(async () => (await count(database, `from steadfast.event where type = 'steadfast.in-progress'`)) >= 2, {
    what: 'two signals'
  })
})
