import t from 'tap'
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
  const app = await server(t, url, broker.transport, { schedule: '* * * * * *', pollIntervalMs: 10 })
  await write([event(), event()])
  const { until } = await import('@steadfast/dev-services')
  await until(async () => (await rows(`status = 'PUBLISHED'`)).length === 2)
  t.same((await pool.query('select id from steadfast.relay')).rows, [{ id: app.relay.id }])
  await app.close()
  t.same((await pool.query('select id from steadfast.relay')).rows, [])
})
