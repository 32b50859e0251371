import { until } from '@steadfast/dev-services'
import t from 'tap'
import { database, event, recordingTransport, server } from './helper.ts'

const many = () => Array.from({ length: 300 }, () => event())

t.test('relays share the lanes; when one leaves, the others take its', async t => {
  const { url, write } = await database(t)
  const brokers = [recordingTransport(), recordingTransport(), recordingTransport()] as const
  const apps = await Promise.all(brokers.map(({ transport }) => server(t, url, transport)))
  for (const app of apps) await app.relay.tick()
  await write(many())
  for (const app of apps) await app.relay.tick()
  const sent = brokers.map(({ log }) => log.length)
  t.ok(
    sent.every(n => n > 50),
    `each has a share: ${sent}`
  )
  const total = () => brokers.reduce((sum, { log }) => sum + log.length, 0)
  t.equal(total(), 300, 'and none the same as another')
  t.equal((await apps[0]?.relay.stats())?.relays, 3)

  await apps[0]?.close()
  await write(many())
  await apps[1]?.relay.tick()
  await apps[2]?.relay.tick()
  t.equal(total(), 600)
})

t.test('the lanes of a relay that died are taken once it was silent for long enough', async t => {
  const { url, write, pool, rows } = await database(t)
  const broker = recordingTransport()
  await pool.query('insert into steadfast.relay (id) values (gen_random_uuid())')
  const app = await server(t, url, broker.transport)
  await write(many())
  await app.relay.tick()
  t.ok((await rows('due')).length > 50, 'not before')
  await pool.query(`update steadfast.relay set seen_at = seen_at - interval '5 s' where id <> $1`, [app.relay.id])
  await app.relay.tick()
  t.same(await rows('due'), [])
})

t.test('a relay whose beats fail goes on with the lanes it had', async t => {
  const { url, write, pool, rows } = await database(t)
  const broker = recordingTransport()
  await server(t, url, broker.transport, { schedule: '* * * * * *', pollIntervalMs: 10, beatIntervalMs: 20 })
  await write([event()])
  await until(async () => (await rows('due')).length === 0)
  await pool.query('alter table steadfast.relay rename to hidden')
  await write(many())
  await until(async () => (await rows('due')).length === 0)
  await pool.query('alter table steadfast.hidden rename to relay')
  await pool.query('delete from steadfast.relay')
  await until(async () => (await pool.query('select from steadfast.relay')).rowCount === 1, { what: 'a beat again' })
})
