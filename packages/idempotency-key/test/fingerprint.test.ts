import { connect } from 'node:http2'
import { text } from 'node:stream/consumers'
import postgres from '@fastify/postgres'
import outbox from '@steadfast/outbox'
import Fastify, { type FastifyInstance, type InjectOptions } from 'fastify'
import t from 'tap'
import idempotencyKey from '../src/index.ts'
import { buildApp, order, orderRoutes, ordersDatabase, stored } from './helpers/build-app.ts'

const route = { transaction: true, idempotencyKey: true } as const
const sent = (payload: string | Buffer, type: string, more: object = {}): InjectOptions => ({
  method: 'POST',
  url: '/orders',
  headers: { 'idempotency-key': 'k', 'content-type': type, ...more },
  payload
})

/** Asks, and says what came of it. */
async function outcome(app: FastifyInstance, request: InjectOptions): Promise<string> {
  const response = await app.inject(request)
  if (response.headers['idempotency-replayed'] !== undefined) return 'replayed'
  return response.statusCode < 400 ? 'handled' : String(response.json().code)
}

t.test('everything that was sent counts: address, query, content type, encoding and each byte of the body', async t => {
  const { app, database } = await buildApp(t, app => {
    orderRoutes(app)
    app.addContentTypeParser('text/odd', { parseAs: 'buffer' }, async () => 'the same, whatever was sent')
    app.addContentTypeParser('text/streamed', async (_: unknown, payload: AsyncIterable<Buffer>) => text(payload))
  })
  const requests = [
    sent('{"a":1}', 'application/json'),
    sent('{"a": 1}', 'application/json'),
    sent('{"a":1e0}', 'application/json'),
    { ...sent('{"a":1}', 'application/json'), url: '/orders?x=1' },
    sent('{"a":1}', 'application/json; charset=utf-8'),
    sent('{"a":1}', 'application/json', { 'content-encoding': 'identity' }),
    sent('1', 'text/odd'),
    sent('2', 'text/odd'),
    sent(Buffer.from([0xff]), 'text/plain'),
    sent(Buffer.from([0xfe]), 'text/plain'),
    sent('a'.repeat(200_000), 'text/streamed'),
    sent(`${'a'.repeat(200_000)}b`, 'text/streamed'),
    { method: 'POST', url: '/orders', headers: { 'idempotency-key': 'k' } } as const
  ]
  for (const [i, request] of requests.entries()) {
    const own = { ...request, headers: { ...request.headers, 'idempotency-key': `key-${i}` } }
    t.equal(await outcome(app, own), 'handled')
    t.equal(await outcome(app, own), 'replayed')
    for (const [j, other] of requests.entries())
      if (j !== i)
        t.equal(
          await outcome(app, { ...other, headers: { ...other.headers, 'idempotency-key': `key-${i}` } }),
          'SF_IDEMPOTENCY_KEY_REUSED',
          `${j} under the key of ${i}`
        )
  }
  t.equal((await stored(database)).keys, requests.length)
})

t.test('an upload that the handler reads by itself is refused with a key, and handled without one', async t => {
  const { app, database } = await buildApp(t, app => {
    // As @fastify/multipart does it.
    app.addContentTypeParser('multipart/form-data', (_request, _payload, done) => done(null))
    app.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload))
    app.post('/orders', route, async request => {
      await request.tx.query('insert into orders default values')
      return await text(request.raw)
    })
  })
  for (const type of ['multipart/form-data; boundary=b', 'application/octet-stream'])
    for (const upload of ['one', 'two']) {
      const response = await app.inject(sent(upload, type))
      t.equal(response.statusCode, 415)
      t.equal(response.json().code, 'SF_IDEMPOTENCY_KEY_BODY_UNSEEN')
    }
  t.same(await stored(database), { orders: 0, events: 0, keys: 0 })
  const { 'idempotency-key': _, ...headers } = sent('', 'application/octet-stream').headers as Record<string, string>
  t.equal((await app.inject({ ...sent('one', ''), headers })).body, 'one')
})

t.test('an upload that a hook reads counts, though no parser has seen it', async t => {
  const { app } = await buildApp(t, app => {
    app.addContentTypeParser('multipart/form-data', (_request, _payload, done) => done(null))
    const preValidation = async (request: { raw: AsyncIterable<Buffer>; body?: unknown }) => {
      request.body = await text(request.raw)
    }
    app.post('/orders', { ...route, preValidation: preValidation as never }, async request => ({ got: request.body }))
  })
  t.equal(await outcome(app, sent('one', 'multipart/form-data')), 'handled')
  t.equal(await outcome(app, sent('one', 'multipart/form-data')), 'replayed')
  t.equal(await outcome(app, sent('two', 'multipart/form-data')), 'SF_IDEMPOTENCY_KEY_REUSED')
})

t.test('a body that a hook has begun to read before it could be seen is refused', async t => {
  const { app } = await buildApp(t, app => {
    app.addHook('onRequest', async request => {
      for await (const _ of request.raw.iterator({ destroyOnReturn: false })) break
    })
    app.addContentTypeParser('multipart/form-data', async ({ raw }: { raw: AsyncIterable<Buffer> }) => text(raw))
    app.post('/orders', route, async () => 'ok')
  })
  t.equal(await outcome(app, sent('one', 'multipart/form-data')), 'SF_IDEMPOTENCY_KEY_BODY_UNSEEN')
})

t.test('over HTTP/2, where a body needs no length', async t => {
  const database = await ordersDatabase(t)
  const app = Fastify({ http2: true })
  await app.register(postgres, { connectionString: database.url })
  await app.register(outbox, { source: 'test' })
  await app.register(idempotencyKey, { principal: 'shared' })
  app.post('/orders', route, async request => ({ got: request.body ?? null }))
  t.teardown(() => app.close())
  const session = connect(await app.listen({ port: 0, host: '127.0.0.1' }))
  t.teardown(() => session.destroy())
  const ask = async (body: string | undefined, key: string) => {
    const type = body === undefined ? {} : { 'content-type': 'application/json' }
    const stream = session.request(
      { ':method': 'POST', ':path': '/orders', 'idempotency-key': key, ...type },
      { endStream: body === undefined }
    )
    const head = new Promise<Record<string, unknown>>(resolve => stream.once('response', resolve))
    if (body !== undefined) stream.end(body)
    const replayed = (await head)['idempotency-replayed'] !== undefined
    return `${(await head)[':status']}${replayed ? ' replayed' : ''} ${await text(stream)}`
  }
  t.equal(await ask('{"a":1}', 'k'), '200 {"got":{"a":1}}')
  t.equal(await ask('{"a":1}', 'k'), '200 replayed {"got":{"a":1}}')
  t.match(await ask('{"a":2}', 'k'), /^422 /)
  t.equal(await ask(undefined, 'none'), '200 {"got":null}')
  t.equal(await ask(undefined, 'none'), '200 replayed {"got":null}')
})

t.test('a body over the limit is refused as ever, and takes no key', async t => {
  const { app, database } = await buildApp(t, app => {
    app.post('/orders', { ...route, bodyLimit: 10 }, async () => 'ok')
  })
  t.equal((await app.inject(order('k', { product: 'too much' }))).statusCode, 413)
  t.equal((await stored(database)).keys, 0)
})
