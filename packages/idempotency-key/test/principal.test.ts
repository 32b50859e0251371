import type { FastifyInstance, FastifyRequest } from 'fastify'
import t from 'tap'
import { buildApp, order, orderRoutes, stored } from './helpers/build-app.ts'

const accountOf = (request: FastifyRequest) => String(request.headers['x-account'])
const as = (account: string, url = '/orders') => ({
  ...order('k'),
  url,
  headers: { 'idempotency-key': 'k', 'x-account': account }
})
const isReplay = async (app: FastifyInstance, account: string, url?: string) =>
  (await app.inject(as(account, url))).headers['idempotency-replayed'] === 'true'

const principals = { at_once: accountOf, by_a_promise: async (request: FastifyRequest) => accountOf(request) }
for (const [how, principal] of Object.entries(principals))
  t.test(`keys of different principals and routes are different keys: told ${how.replaceAll('_', ' ')}`, async t => {
    const routes = (app: FastifyInstance) => {
      orderRoutes(app)
      app.register(async child => orderRoutes(child), { prefix: '/v2' })
    }
    const { app, database } = await buildApp(t, routes, { principal })
    t.equal(await isReplay(app, 'a'), false)
    t.equal(await isReplay(app, 'b'), false)
    t.equal(await isReplay(app, 'a', '/v2/orders'), false)
    t.equal(await isReplay(app, 'b'), true)
    t.same(await stored(database), { orders: 3, events: 3, keys: 3 })
  })

t.test('a principal may be of any length and say anything; it stands in no table', async t => {
  const { app, database } = await buildApp(t, orderRoutes, { principal: accountOf })
  // Of no use to a compressor, as a token is.
  const token = Array.from({ length: 8000 }, (_, i) => ((i * i * 7919) % 36).toString(36)).join('')
  t.equal(await isReplay(app, token), false)
  t.equal(await isReplay(app, token), true)
  t.equal(await isReplay(app, `${token}x`), false)
  const { rows } = await database.pool.query('select i::text as row from steadfast.idempotency i')
  t.equal(rows.filter(({ row }) => row.includes(token.slice(0, 50))).length, 0)
})

t.test('a key of one principal is none of another, however the two are put together', async t => {
  const { app } = await buildApp(t, orderRoutes, { principal: accountOf })
  const inject = (account: string, key: string) =>
    app.inject({ ...order(key), headers: { 'x-account': account, 'idempotency-key': key } })
  await inject('a', 'b c')
  for (const [account, key] of [
    ['a b', 'c'],
    ['a', 'b'],
    ['ab', 'c']
  ] as const)
    t.equal((await inject(account, key)).headers['idempotency-replayed'], undefined)
})

t.test('who cannot be told is not served: nothing is stored', async t => {
  let principal: () => unknown = () => undefined
  const { app, database } = await buildApp(t, orderRoutes, { principal: () => principal() as string })
  const nobodies = [undefined, null, '', ' ', 1, {}, ['me'], Symbol('me'), Promise.resolve(''), Promise.resolve(null)]
  for (const nobody of nobodies) {
    principal = () => nobody
    const response = await app.inject(order('k'))
    t.equal(response.statusCode, 500)
    t.equal(response.json().code, 'SF_IDEMPOTENCY_KEY_PRINCIPAL_INVALID')
  }
  principal = async () => {
    throw Object.assign(new Error('who?'), { statusCode: 401 })
  }
  t.equal((await app.inject(order('k'))).statusCode, 401, 'its own error is the answer')
  t.same(await stored(database), { orders: 0, events: 0, keys: 0 })
})

t.test('the routes of two hosts or versions have keys of their own', async t => {
  const { app, database } = await buildApp(t, app => {
    for (const version of ['1.0.0', '2.0.0'])
      app.post('/orders', { transaction: true, idempotencyKey: true, constraints: { version } }, async () => version)
  })
  for (const version of ['1.0.0', '2.0.0']) {
    const headers = { 'idempotency-key': 'k', 'accept-version': version }
    t.equal((await app.inject({ ...order('k'), headers })).body, version)
    t.equal((await app.inject({ ...order('k'), headers })).headers['idempotency-replayed'], 'true')
  }
  t.same(await stored(database), { orders: 0, events: 0, keys: 2 })
})
