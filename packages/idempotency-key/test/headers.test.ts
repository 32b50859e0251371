import type { FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import { buildApp, order, stored } from './helpers/build-app.ts'

const route = { transaction: true, idempotencyKey: true } as const

t.test('safe headers of an answer are replayed, and those that are named; no others', async t => {
  const safe = {
    'cache-control': 'no-store',
    'content-disposition': 'attachment',
    'content-encoding': 'identity',
    'content-security-policy': "default-src 'none'",
    etag: '"1"',
    link: '</a>; rel="b", </c>; rel="d"',
    location: '/orders/1',
    'retry-after': '7',
    vary: 'accept',
    'x-content-type-options': 'nosniff',
    'x-named': '1'
  }
  const { app } = await buildApp(
    t,
    app =>
      app.post('/orders', route, async (_, reply) =>
        reply.headers({ ...safe, 'x-other': '1', 'content-length': '2' }).send('ok')
      ),
    { headers: ['X-Named', 'constructor'] }
  )
  const names = [...Object.keys(safe), 'content-type', 'content-length']
  const pick = (headers: Record<string, unknown>) => names.map(name => `${name}: ${headers[name]}`)
  const [first, second] = [await app.inject(order('k')), await app.inject(order('k'))]
  t.same(pick(second.headers), pick(first.headers))
  t.equal(second.headers['x-named'], '1')
  t.equal(first.headers['x-other'], '1')
  t.notOk(Object.hasOwn(second.headers, 'x-other'))
  t.notOk(Object.hasOwn(second.headers, 'constructor'))
})

const setters: Record<string, (reply: FastifyReply) => FastifyReply> = {
  'set-cookie': reply => reply.header('set-cookie', 'session=1'),
  'Set-Cookie': reply => reply.header('Set-Cookie', ['session=1', 'b=2']),
  authorization: reply => reply.header('authorization', 'Bearer 1'),
  'www-authenticate': reply => reply.header('www-authenticate', 'Bearer'),
  'set-cookie, on the raw response': reply => {
    reply.raw.setHeader('set-cookie', 'session=1')
    return reply
  }
}
for (const [name, set] of Object.entries(setters))
  t.test(`an answer with a header that is a secret of one request is refused: ${name}`, async t => {
    const { app, database } = await buildApp(t, app => {
      app.post('/orders', route, async (request, reply) => {
        await request.tx.query('insert into orders default values')
        set(reply)
        return { id: 1 }
      })
    })
    const response = await app.inject(order('k'))
    t.equal(response.statusCode, 500)
    t.equal(response.json().code, 'SF_IDEMPOTENCY_KEY_HEADER_REFUSED')
    t.same(await stored(database), { orders: 0, events: 0, keys: 0 })
    const { headers: _, ...without } = order('k')
    t.equal((await app.inject(without)).statusCode, 200, 'without a key it is sent as it is')
  })

t.test(
  'cookies of hooks, before the handler or after it, are theirs: set anew for a replay, and not stored',
  async t => {
    let visits = 0
    const { app, database } = await buildApp(t, app => {
      app.addHook('onRequest', async (_: FastifyRequest, reply) => void reply.header('set-cookie', `seen=${++visits}`))
      app.addHook('onSend', async (_, reply) => void reply.header('set-cookie', `rolling=${visits}`))
      app.post('/orders', route, async () => ({ id: 1 }))
    })
    t.same((await app.inject(order('k'))).headers['set-cookie'], ['seen=1', 'rolling=1'])
    const second = await app.inject(order('k'))
    t.equal(second.headers['idempotency-replayed'], 'true')
    t.same(second.headers['set-cookie'], ['seen=2', 'rolling=2'])
    const { rows } = await database.pool.query('select headers from steadfast.idempotency')
    t.same(rows, [{ headers: { 'content-type': 'application/json; charset=utf-8' } }])
  }
)
