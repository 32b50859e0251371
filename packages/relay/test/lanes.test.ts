import { until } from '@steadfast/dev-services'
import t from 'tap'
import { batchFetched } from '../src/channels.ts'
import { database, event, failed, recordingTransport, server } from './helper.ts'

// a busy machine takes its time
t.setTimeout(240_000)

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
  await server(t, url, broker.transport, { schedule: true, pollIntervalMs: 10, beatIntervalMs: 20 })
  await write([event()])
  await until(async () => (await rows('due')).length === 0)
  await pool.query('alter table steadfast.relay rename to hidden')
  await write(many())
  await until(async () => (await rows('due')).length === 0)
  await pool.query('alter table steadfast.hidden rename to relay')
  await pool.query('delete from steadfast.relay')
  await until(async () => (await pool.query('select from steadfast.relay')).rowCount === 1, { what: 'a beat again' })
})

t.test('a relay that is never idle takes the lanes of one that died meanwhile', async t => {
  const { url, write, pool, rows } = await database(t)
  const broker = recordingTransport()
  const dead = '00000000-0000-7000-8000-000000000000'
  await pool.query('insert into steadfast.relay (id) values ($1)', [dead])
  const options = { schedule: true, pollIntervalMs: 10, beatIntervalMs: 50 }
  const app = await server(t, url, broker.transport, options)
  await until(async () => (await app.relay.stats()).relays === 2)
  const early = many()
  await write(early)
  // Whenever it looks, it has been woken since the look before: one drain never ends.
  let drains = true
  broker.answer = async batch => {
    if (drains) {
      await write([event()])
      app.relay.wake()
    }
    return batch.map(broker.accept)
  }
  const listener = () => {
    if (drains) app.relay.wake()
  }
  batchFetched.subscribe(listener)
  t.teardown(() => batchFetched.unsubscribe(listener))
  const sentOf = (events: { id: string }[]) => {
    const sent = new Set(broker.log.map(({ id }) => id))
    return events.filter(({ id }) => sent.has(id)).length
  }
  await until(() => sentOf(early) > 50, { what: 'the share of this relay' })
  t.ok(sentOf(early) < 250, 'the rest is not its own')
  await pool.query(`update steadfast.relay set seen_at = seen_at - interval '1 h' where id = $1`, [dead])
  await until(() => sentOf(early) === early.length, { what: 'the share of the dead one' })
  drains = false
  await until(async () => (await rows('due')).length === 0)
})

t.test('a relay that cannot reach its broker leaves its lanes to others, and takes them again', async t => {
  const { url, write, pool, rows } = await database(t)
  const ill = recordingTransport()
  const well = recordingTransport()
  let down = true
  ill.ready = false
  ill.answer = async batch => batch.map(message => (down ? failed('unavailable', 'no route') : ill.accept(message)))
  const options = { schedule: true, pollIntervalMs: 5, beatIntervalMs: 20, deadAfterMs: 200 }
  const one = await server(t, url, ill.transport, options)
  const two = await server(t, url, well.transport, options)
  const living = async () => (await pool.query<{ id: string }>('select id from steadfast.relay')).rows.map(r => r.id)
  await until(async () => (await living()).length === 2)
  await write(many())
  await until(async () => (await rows('due')).length === 0, { what: 'all is sent by the other' })
  t.same(await living(), [two.relay.id])
  t.equal(well.log.length, 300)
  t.same(one.relay.health(), { ready: false, reason: 'recording: no route' })
  await write(many())
  await until(async () => (await rows('due')).length === 0)
  t.equal(well.log.length, 600, 'it stays away')

  down = false
  ill.ready = true
  await until(async () => (await living()).length === 2, { what: 'it joins, although nothing is due' })
  await until(() => one.relay.health().ready)
  await until(async () => (await two.relay.stats()).relays === 2)
  await write(many())
  await until(async () => (await rows('due')).length === 0)
  t.ok(ill.log.length > 50, `it has its share: ${ill.log.length}`)
})

t.test('the only relay goes on trying in all lanes, also in those of one that died while both were ill', async t => {
  const { url, write, pool, rows } = await database(t)
  const broker = recordingTransport()
  let down = true
  broker.ready = false
  broker.answer = async batch => batch.map(message => (down ? failed('unavailable') : broker.accept(message)))
  const options = { schedule: true, pollIntervalMs: 5, beatIntervalMs: 20, deadAfterMs: 200 }
  await pool.query(`insert into steadfast.relay (id) values (gen_random_uuid())`)
  await server(t, url, broker.transport, options)
  await write([event()])
  await until(async () => (await pool.query('select from steadfast.relay')).rowCount === 0 && broker.batches > 0)
  await write(many())
  down = false
  await until(async () => (await rows('due')).length === 0)
  await until(async () => (await pool.query('select from steadfast.relay')).rowCount === 1, { what: 'it joins again' })
})
