import { randomUUID } from 'node:crypto'
import { matchWhole, until } from '@steadfast/dev-services'
import { deliver } from '@steadfast/inbox/testing'
import { parkEvent, resolveEvent, storeOn } from '@steadfast/store/internal'
import { DeploymentFailed, DeploymentRequested, DeploymentSucceeded } from '@steadfast-examples/contracts'
import t from 'tap'
import { build, OPERATOR, PEER } from './helper.ts'

const SLEEPER = { product: 'sleeper', plan: 'simulated', parameters: { durationMs: 10 } }

t.test('an order and its event are stored together; the same key is the same order', async t => {
  const { app, database } = await build(t)
  const headers = { 'idempotency-key': randomUUID() }
  const place = (body: object) => app.inject({ method: 'POST', url: '/orders', headers, body })
  const [first, again] = [await place(SLEEPER), await place(SLEEPER)]
  t.equal(first.statusCode, 202)
  t.match(first.json(), { ...SLEEPER, number: '1', status: 'PLACED', reason: null })
  t.equal(again.body, first.body)
  t.equal((await place({ product: 'postgres', plan: 'small' })).statusCode, 422, 'the same key for something else')
  const { rows } = await database.pool.query('select type, key, payload from steadfast.event')
  matchWhole(t, rows, [
    { type: DeploymentRequested.type, key: first.json().id, payload: { orderId: first.json().id, ...SLEEPER } }
  ])
  t.equal(rows.length, 1)
  t.equal((await app.inject(`/orders/${first.json().id}`)).body, first.body)
})

t.test('what nobody sells, and what nobody understands, is refused and not stored', async t => {
  const { app, database } = await build(t)
  const bodies = [
    { product: 'redis', plan: 'small' },
    { product: 'sleeper' },
    { ...SLEEPER, parameters: { durationM: 10 } },
    { ...SLEEPER, parameters: { failureRate: 2 } },
    { ...SLEEPER, colour: 'red' },
    { ...SLEEPER, plan: 'a\u0000b' },
    { ...SLEEPER, plan: 'a\ud800b' }
  ]
  for (const body of bodies)
    t.equal((await app.inject({ method: 'POST', url: '/orders', body })).statusCode, 400, JSON.stringify(body))
  t.equal((await database.pool.query('select from orders')).rowCount, 0)
  t.equal((await app.inject(`/orders/${randomUUID()}`)).json().code, 'MARKET_ORDER_UNKNOWN')
  t.equal((await app.inject(`/orders/urn:uuid:${randomUUID()}`)).json().code, 'FST_ERR_VALIDATION')
})

t.test('the answer completes the order and confirms its request, in one transaction', async t => {
  const { app, database } = await build(t)
  const place = async () => (await app.inject({ method: 'POST', url: '/orders', body: SLEEPER })).json().id as string
  const [good, bad] = [await place(), await place()]
  const requestOf = async (order: string) =>
    (await database.pool.query('select id from steadfast.event where key = $1', [order])).rows[0].id as string
  const access = { host: 'here', port: 5432, database: 'd', role: 'd' }
  const [forGood, forBad] = [await requestOf(good), await requestOf(bad)]
  await deliver(app, DeploymentSucceeded, { orderId: good, deploymentId: forGood, access }, { causationId: forGood })
  await deliver(
    app,
    DeploymentFailed,
    { orderId: bad, deploymentId: forBad, reason: 'no room' },
    { causationId: forBad }
  )
  t.match((await app.inject(`/orders/${good}`)).json(), { status: 'READY', access, finishedAt: String })
  t.match((await app.inject(`/orders/${bad}`)).json(), { status: 'FAILED', access: null, reason: 'no room' })
  const { rows } = await database.pool.query('select status from steadfast.event')
  t.strictSame(rows, [{ status: 'CONFIRMED' }, { status: 'CONFIRMED' }])
  await deliver(app, DeploymentFailed, { orderId: good, deploymentId: forGood, reason: 'no' }, { causationId: forGood })
  t.match(
    (await app.inject(`/orders/${good}`)).json(),
    { status: 'READY' },
    'a second, different answer changes nothing'
  )
})

t.test(
  'an order that deploy refuses has failed; one that nobody answers waits, and its late answer counts',
  async t => {
    const { app, database } = await build(t)
    const db = storeOn(database.pool)
    const place = async () => {
      const { id } = (await app.inject({ method: 'POST', url: '/orders', body: SLEEPER })).json()
      const { rows } = await database.pool.query('select id from steadfast.event where key = $1', [id])
      return { order: id as string, request: rows[0].id as string }
    }
    const shown = async (order: string) => {
      const { status, reason } = (await app.inject(`/orders/${order}`)).json()
      const { rows } = await database.pool.query('select reserved from orders where id = $1', [order])
      return { status, reason, reserved: rows[0].reserved }
    }
    const becomes = (order: string, status: string) =>
      until(async () => (await shown(order)).status === status, { what: `the order to be ${status}` })
    const park = (id: string, reason: 'REFUSED' | 'ANSWER_HELD') =>
      parkEvent(db, { id, from: 'deploy', reason, error: 'x' })

    const refused = await place()
    t.same(await shown(refused.order), { status: 'PLACED', reason: null, reserved: true })
    await park(refused.request, 'REFUSED')
    await becomes(refused.order, 'FAILED')
    t.same(await shown(refused.order), { status: 'FAILED', reason: 'refused', reserved: false })

    const cancelled = await place()
    await park(cancelled.request, 'ANSWER_HELD')
    await becomes(cancelled.order, 'DELAYED')
    t.match(await shown(cancelled.order), { status: 'DELAYED', reserved: true })
    await resolveEvent(db, { id: cancelled.request, actor: 'ada', note: 'there is none' })
    await becomes(cancelled.order, 'FAILED')
    t.match(await shown(cancelled.order), { reason: 'cancelled by us', reserved: false })

    for (const { order, request } of [refused, await place()]) {
      await park(request, 'ANSWER_HELD')
      await deliver(app, DeploymentSucceeded, { orderId: order, deploymentId: request }, { causationId: request })
      await becomes(order, 'READY')
      t.same(await shown(order), { status: 'READY', reason: null, reserved: true })
    }
  }
)

t.test('pages stay the same while new orders come in', async t => {
  const { app } = await build(t)
  const place = () => app.inject({ method: 'POST', url: '/orders', body: SLEEPER })
  for (let i = 0; i < 5; i++) await place()
  const numbers: string[][] = []
  let next: string | undefined = '9999'
  while (next !== undefined) {
    const page: { orders: { number: string }[]; next?: string } = (
      await app.inject(`/orders?limit=2&before=${next}`)
    ).json()
    numbers.push(page.orders.map(order => order.number))
    next = page.next
    if (numbers.length === 1) await place()
  }
  t.strictSame(numbers, [['5', '4'], ['3', '2'], ['1']])
})

t.test('reconciliation is open to the operator, to a peer for its questions, and to nobody else', async t => {
  const { app } = await build(t)
  const status = async (url: string, token?: string) =>
    (await app.inject({ url: `/reconciliation${url}`, headers: token ? { authorization: `Bearer ${token}` } : {} }))
      .statusCode
  t.equal(await status('/events?status=PARKED'), 401)
  t.match(await app.inject('/reconciliation/counts'), {
    headers: { 'www-authenticate': 'Bearer' },
    body: /SERVICE_UNAUTHENTICATED/
  })
  t.equal(await status('/events?status=PARKED', 'a guess'), 401)
  t.equal(await status('/events?status=PARKED', PEER), 403)
  t.equal(await status('/events?status=PARKED', OPERATOR), 200)
})

t.test('health, products and the documentation page', async t => {
  const { app } = await build(t)
  t.equal((await app.inject('/health/live')).statusCode, 200)
  await until(async () => (await app.inject('/health/messaging')).statusCode === 200, { what: 'market to be ready' })
  t.same((await app.inject('/health/ready')).json(), { ready: true, reasons: [] })
  matchWhole(t, (await app.inject('/products')).json().products, [{ name: 'postgres' }, { name: 'sleeper' }])
  const { paths } = (await app.inject('/docs/json')).json()
  t.match(paths['/orders'].post.responses['202'], { description: String })
  t.notOk(
    paths['/orders'].get.parameters.some(({ required }: { required?: boolean }) => required),
    'what has a default may be left out'
  )
  t.notOk(
    Object.keys(paths).some(path => path.includes('steadfast')),
    'event routes are nobody’s business'
  )
})
