import { listenTo, matchWhole, until } from '@steadfast/dev-services'
import type { Outgoing } from '@steadfast/events'
import t from 'tap'
import { batchSent } from '../src/channels.ts'
import { relayOnce } from '../src/testing.ts'
import { database, event, failed, recordingTransport, server } from './helper.ts'

const byKey = (broker: ReturnType<typeof recordingTransport>, key: string) =>
  broker.log.filter(sent => sent.key === key).map(({ id }) => id)

t.test('a refused event is parked with the reason, alone; its key goes on', async t => {
  const { url, write, rows } = await database(t)
  const broker = recordingTransport()
  const events = [event({ key: 'a' }), event({ key: 'a' }), event({ key: 'b' }), event({ key: 'a' })]
  const [, large] = events
  broker.answer = async batch => {
    const behind = new Set<string>()
    return batch.map(message => {
      if (behind.has(message.key)) return failed('unavailable')
      if (String(message.headers.ce_id) !== large?.id) return broker.accept(message)
      behind.add(message.key)
      return failed('refused', 'MESSAGE_TOO_LARGE')
    })
  }
  await write(events)
  const app = await server(t, url, broker.transport)
  const parked = listenTo(t, 'steadfast:store:parked')
  const first = await relayOnce(app)
  t.match(first, { sent: 2, parked: 1, failed: 1 })
  t.same(parked, [{ eventIds: [large?.id], reason: 'REFUSED_BY_BROKER', error: 'MESSAGE_TOO_LARGE' }])
  t.match(app.relay.health(), { ready: true })
  t.match(await relayOnce(app), { sent: 1 }, 'the key was not backed off')
  t.same(byKey(broker, 'a'), [events[0]?.id, events[3]?.id])
  matchWhole(t, await rows(), [
    { status: 'PUBLISHED' },
    { status: 'PARKED', park_reason: 'REFUSED_BY_BROKER', last_error: 'MESSAGE_TOO_LARGE', count: 0, due: false },
    { status: 'PUBLISHED' },
    { status: 'PUBLISHED' }
  ])
})

t.test('an event that cannot be encoded is parked and stops nothing', async t => {
  const { url, write, rows } = await database(t)
  const broker = recordingTransport()
  await write([event({ headers: { odd: { not: 'text' } as unknown as string } }), event()])
  const app = await server(t, url, broker.transport)
  t.match(await relayOnce(app), { sent: 1, parked: 1 })
  matchWhole(t, await rows(), [{ status: 'PARKED', park_reason: 'REFUSED_BY_BROKER' }, { status: 'PUBLISHED' }])
})

t.test('a failing key is left alone for a while and other keys flow; nothing is counted', async t => {
  const { url, write, rows } = await database(t)
  const broker = recordingTransport()
  let down = true
  broker.answer = async batch =>
    batch.map(message => (down && message.key === 'a' ? failed('unavailable', 'no leader') : broker.accept(message)))
  const app = await server(t, url, broker.transport)
  await write([event({ key: 'a' }), event({ key: 'b' }), event({ key: 'a' })])
  t.match(await app.relay.tick(), { sent: 1, failed: 2 })
  let tried = 0
  for (let n = 0; n < 20; n++) {
    await write([event({ key: 'b' })])
    const { sent, failed } = await app.relay.tick()
    t.equal(sent, 1)
    if (failed > 0) tried++
  }
  t.ok(tried < 12, `less and less often: ${tried} times`)
  t.match(app.relay.health(), { ready: true })
  matchWhole(t, await rows(`key = 'a'`), [
    { due: true, count: 0, status: 'NEW' },
    { due: true, count: 0, status: 'NEW' }
  ])
  down = false
  await until(async () => (await app.relay.tick()).sent > 0)
  t.same(await rows('due'), [])
})

t.test('what follows a failed event is dropped from the batch that was read meanwhile', async t => {
  const { url, write } = await database(t)
  const broker = recordingTransport()
  let fail = true
  broker.answer = async batch =>
    batch.map((message, n) => {
      if (!fail || message.key !== 'a' || n !== 1) return broker.accept(message)
      fail = false
      return failed('unknown')
    })
  const app = await server(t, url, broker.transport, { batchSize: 2 })
  const keys = ['b', 'a', 'a', 'b', 'a', 'b', 'a']
  const events = keys.map(key => event({ key }))
  await write(events)
  await relayOnce(app)
  await relayOnce(app)
  const of = (key: string) => events.filter(e => e.key === key).map(({ id }) => id)
  t.same(byKey(broker, 'a'), of('a'))
  t.same(byKey(broker, 'b'), of('b'))
})

t.test('when everything fails a circuit opens, probes with few, and closes by itself; nothing is counted', async t => {
  const { url, write, rows } = await database(t)
  const broker = recordingTransport()
  let down = true
  const sizes: number[] = []
  broker.answer = async batch => {
    sizes.push(batch.length)
    return batch.map(message => (down ? failed('unavailable', 'connection refused') : broker.accept(message)))
  }
  const changes = listenTo(t, 'steadfast:relay:transport-changed')
  const app = await server(t, url, broker.transport, { schedule: true, pollIntervalMs: 5, batchSize: 200 })
  await write(Array.from({ length: 600 }, (_, n) => event({ topic: `market.${n % 2}` })))
  await until(() => !app.relay.health().ready)
  t.match(app.relay.health(), { ready: false, reason: 'recording: connection refused' })
  await until(() => sizes.length >= 3)
  t.ok(
    sizes.slice(1).every(size => size <= 50),
    `probes are small: ${sizes}`
  )
  for (let n = 0; n < 100; n++) app.relay.wake()
  t.same(await rows('count > 0 or not due'), [])
  down = false
  await until(async () => (await rows('due')).length === 0)
  t.ok(app.relay.health().ready)
  t.ok((await rows()).every(row => row.count === 1))
  t.same(changes, [
    { transport: 'recording', state: 'failing', reason: 'connection refused' },
    { transport: 'recording', state: 'recovered' }
  ])
})

t.test('a transport that throws, answers too little, or never settles leaves everything due', async t => {
  const { url, write, rows } = await database(t)
  const broker = recordingTransport()
  const app = await server(t, url, broker.transport, { sendTimeoutMs: 50 })
  await write([event(), event()])
  broker.answer = () => Promise.reject(new Error('bug'))
  t.match(await relayOnce(app), { sent: 0, failed: 2 })
  broker.answer = async () => []
  t.match(await relayOnce(app), { sent: 0, failed: 2 })
  broker.answer = (batch: readonly Outgoing[], signal: AbortSignal) =>
    new Promise(resolve => signal.addEventListener('abort', () => resolve(batch.map(() => failed('unknown')))))
  t.match(await relayOnce(app), { sent: 0, failed: 2 })
  broker.answer = () => new Promise(() => {})
  t.match(await relayOnce(app), { sent: 0, failed: 2 })
  matchWhole(t, await rows('due and count = 0'), [{}, {}])
})

t.test('what was acknowledged and could not be marked is marked later, and not sent again', async t => {
  const { url, write, rows, pool } = await database(t)
  const broker = recordingTransport()
  const app = await server(t, url, broker.transport)
  await write([event()])
  await pool.query('alter table steadfast.event rename column last_sent_at to hidden')
  await t.rejects(relayOnce(app), { code: '42703' })
  await t.rejects(relayOnce(app), { code: '42703' })
  t.match(app.relay.health(), { ready: false, reason: /^database: / })
  await pool.query('alter table steadfast.event rename column hidden to last_sent_at')
  await write([event()])
  t.same(await relayOnce(app), { sent: 1, parked: 0, failed: 0, dropped: 0 })
  t.ok(app.relay.health().ready)
  t.same(
    broker.log.map(({ id, attempt }) => ({ id, attempt })),
    (await rows()).map(({ id }) => ({ id, attempt: 1 }))
  )
  t.same(
    (await rows()).map(({ count, due }) => ({ count, due })),
    [
      { count: 1, due: false },
      { count: 1, due: false }
    ]
  )
})

t.test('a row that somebody holds keeps no other from being marked, and is not sent again', async t => {
  const { url, write, rows, pool } = await database(t)
  const broker = recordingTransport()
  const options = { schedule: true, pollIntervalMs: 5, queryTimeoutMs: 1000 }
  const app = await server(t, url, broker.transport, options)
  const events = Array.from({ length: 100 }, () => event({ key: 'a' }))
  const held = events[50]?.id
  const holder = await pool.connect()
  await holder.query('begin')
  broker.answer = async batch => {
    if (broker.log.length === 0) await holder.query('select from steadfast.event where id = $1 for update', [held])
    return batch.map(broker.accept)
  }
  await write(events)
  await until(async () => (await rows('due')).length === 1, { what: 'all others are marked' })
  // Longer than a statement may take: nothing waits for the row, and nothing is sent again meanwhile.
  for (let n = 0; n < 20; n++) {
    const later = event({ key: 'a' })
    events.push(later)
    await write([later])
    await until(async () => (await rows(`id = '${later.id}' and status = 'PUBLISHED'`)).length === 1)
    await app.relay.tick({ everything: true })
  }
  t.same(
    (await rows('due')).map(({ id, count }) => ({ id, count })),
    [{ id: held, count: 0 }]
  )
  t.same(
    broker.log.map(({ id }) => id),
    events.map(({ id }) => id),
    'each once, in order'
  )
  t.ok(app.relay.health().ready)
  await holder.query('rollback')
  holder.release()
  await until(async () => (await rows('due')).length === 0, { what: 'the held one is marked' })
  t.equal(broker.log.length, events.length)
  t.ok((await rows()).every(({ count, status }) => count === 1 && status === 'PUBLISHED'))
})

t.test('a relay that was paused in its send marks nothing that others have marked since', async t => {
  const { url, write, rows, pool } = await database(t)
  const slow = recordingTransport()
  const quick = recordingTransport()
  let goOn = () => {}
  const paused = new Promise<void>(resolve => {
    goOn = resolve
  })
  slow.answer = async batch => {
    await paused
    return batch.map(slow.accept)
  }
  const one = await server(t, url, slow.transport)
  const two = await server(t, url, quick.transport)
  await write([event(), event()])
  const stale = relayOnce(one)
  await until(() => slow.batches === 1)
  await relayOnce(two)
  await pool.query('update steadfast.event set due = true where seq = 1')
  goOn()
  await stale
  matchWhole(t, await rows(), [
    { count: 1, due: true },
    { count: 1, due: false }
  ])
})

t.test('an answer that overtakes the mark stays confirmed', async t => {
  const { url, write, rows, pool } = await database(t)
  const broker = recordingTransport()
  const app = await server(t, url, broker.transport)
  broker.answer = async batch => {
    await pool.query(`update steadfast.event set status = 'CONFIRMED'`)
    return batch.map(broker.accept)
  }
  await write([event({ awaitsFrom: 'deploy', confirmWithinMs: 1000, resendBackoff: 2 })])
  await relayOnce(app)
  matchWhole(t, await rows(), [{ status: 'CONFIRMED', count: 1, due: false, deadline: null }])
})

t.test('a replay says so on the wire, and a resend its attempt', async t => {
  const { url, write, pool } = await database(t)
  const broker = recordingTransport()
  const app = await server(t, url, broker.transport)
  await write([event()])
  await relayOnce(app)
  await pool.query('update steadfast.event set due = true, replay = true')
  await relayOnce(app)
  await pool.query('update steadfast.event set due = true')
  await relayOnce(app)
  matchWhole(t, broker.log, [
    { attempt: 1, replay: false },
    { attempt: 2, replay: true },
    { attempt: 3, replay: false }
  ])
})

t.test('the seams tell what became of each event', async t => {
  const { url, write } = await database(t)
  const broker = recordingTransport()
  const app = await server(t, url, broker.transport)
  const [one] = [event()]
  const seen: unknown[] = []
  const listener = (message: unknown) => void seen.push(message)
  batchSent.subscribe(listener)
  t.teardown(() => batchSent.unsubscribe(listener))
  await write([one as ReturnType<typeof event>])
  await relayOnce(app)
  matchWhole(t, seen, [{ events: [{ id: one?.id, status: 'NEW' }], results: [{ ok: true }] }])
})
