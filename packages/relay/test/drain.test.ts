import fastifyPostgres from '@fastify/postgres'
import { until } from '@steadfast/dev-services'
import { defineEvent } from '@steadfast/events'
import outbox from '@steadfast/outbox'
import Fastify from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import { Type } from 'typebox'
import { afterMark } from '../src/channels.ts'
import relay from '../src/index.ts'
import { relayOnce } from '../src/testing.ts'
import { database, event, recordingTransport, server } from './helper.ts'

t.test('what is due is sent by seq, marked, and counted once', async t => {
  const { url, write, rows } = await database(t)
  const broker = recordingTransport()
  const app = await server(t, url, broker.transport, { batchSize: 100 })
  const events = Array.from({ length: 450 }, (_, n) => event({ key: `k${n % 7}` }))
  await write(events)

  t.match(await relayOnce(app), { sent: 450, parked: 0, failed: 0 })
  t.same(
    broker.log.map(({ id }) => id),
    events.map(({ id }) => id)
  )
  const stored = await rows()
  t.ok(stored.every(row => row.status === 'PUBLISHED' && row.count === 1 && row.due === false && row.published_at))
  t.match(await relayOnce(app), { sent: 0 }, 'and not again')
  t.equal(broker.log.length, 450)
})

t.test('a scheduled relay finds events by itself, and leaves its row of the living when it closes', async t => {
  const { url, write, pool, rows } = await database(t)
  const broker = recordingTransport()
  const app = await server(t, url, broker.transport, { schedule: true, pollIntervalMs: 10 })
  await write([event(), event()])
  await until(async () => (await rows(`status = 'PUBLISHED'`)).length === 2)
  t.same((await pool.query('select id from steadfast.relay')).rows, [{ id: app.relay.id }])
  await app.close()
  t.same((await pool.query('select id from steadfast.relay')).rows, [])
})

// So slow a poll that only a wake explains a send.
const NEVER = { schedule: true, pollIntervalMs: 600_000 }

t.test('a commit in this process wakes the relay', async t => {
  const { url, rows } = await database(t)
  const broker = recordingTransport()
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(fastifyPostgres, { connectionString: url })
  app.pg.pool.on('connect', client => client.on('error', () => {}))
  await app.register(fp(async f => void f.decorate('transport', broker.transport)))
  const Told = defineEvent({ type: 'market.told', topic: 'told', data: Type.Object({}) })
  await app.register(outbox, { source: 'market', contracts: [Told] })
  await app.register(relay, NEVER)
  app.post('/', { transaction: true }, async (_, reply) => {
    await reply.sendEvent(Told, {})
    return {}
  })
  await app.ready()
  for (let n = 1; n <= 3; n++) {
    await app.inject({ method: 'POST', url: '/' })
    await until(async () => (await rows(`status = 'PUBLISHED'`)).length === n)
  }
})

t.test('a wake that comes while the last batch is being marked is not forgotten', async t => {
  const { url, write, rows } = await database(t)
  const broker = recordingTransport()
  const app = await server(t, url, broker.transport, NEVER)
  await app.relay.tick()
  broker.answer = async batch => {
    if (broker.log.length === 0) await write([event()])
    return batch.map(broker.accept)
  }
  const listener = () => app.relay.wake()
  afterMark.subscribe(listener)
  t.teardown(() => afterMark.unsubscribe(listener))
  await write([event()])
  app.relay.wake()
  await until(async () => (await rows(`status = 'PUBLISHED'`)).length === 2, { timeoutMs: 5000 })
})
