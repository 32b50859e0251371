import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import { buildApp, order, stored } from './helpers/build-app.ts'

const allow = async (request: FastifyRequest) => {
  if (request.headers.authorization === undefined) throw Object.assign(new Error('who?'), { statusCode: 401 })
}
const route = { transaction: true, idempotencyKey: true } as const
const answer = async () => 'a secret'

/** Where a host may ask who is there. */
const places: Record<string, (app: FastifyInstance) => unknown> = {
  'an onRequest hook': app => app.addHook('onRequest', allow).post('/orders', route, answer),
  'a preValidation hook': app => app.addHook('preValidation', allow).post('/orders', route, answer),
  'a preHandler hook': app => app.addHook('preHandler', allow).post('/orders', route, answer),
  'a preHandler hook that comes after the route': app =>
    app.post('/orders', route, answer).addHook('preHandler', allow),
  'the hooks of the route': app => app.post('/orders', { ...route, preHandler: [async () => {}, allow] }, answer),
  'a plugin that adds a hook to routes, registered last': async app => {
    const authorize = async (app: FastifyInstance) => {
      app.addHook('onRoute', options => {
        options.preHandler = [options.preHandler ?? [], allow].flat()
      })
    }
    await app.register(fp(authorize))
    app.post('/orders', route, answer)
  }
}

for (const [place, routes] of Object.entries(places))
  t.test(`who is not allowed takes no key and is shown no answer: ${place}`, async t => {
    const { app, database } = await buildApp(t, routes)
    t.equal((await app.inject(order('k'))).statusCode, 401)
    t.same(await stored(database), { orders: 0, events: 0, keys: 0 })
    const good = { ...order('k'), headers: { 'idempotency-key': 'k', authorization: 'me' } }
    t.equal((await app.inject(good)).statusCode, 200)
    t.equal((await app.inject(order('k'))).statusCode, 401, 'an answer is replayed only to who is allowed')
    t.equal((await app.inject(good)).headers['idempotency-replayed'], 'true')
  })
