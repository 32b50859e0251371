import { randomUUID } from 'node:crypto'
import { testDatabase, until } from '@steadfast/dev-services'
import t from 'tap'
import { deliver, deliveryOf } from '../src/testing.ts'
import { build, effects, events, insertEffect, Note, SIGNALS, send, TASKS, Task, transports } from './helper.ts'

for (const { name, skip, transport } of transports(t)) {
  t.test(`what is no event is kept as it came and stops nothing (${name})`, { skip }, async t => {
    const database = await testDatabase(t)
    const { app, pool } = await build(
      t,
      app => {
        app.onEvent(Task, async request => insertEffect(request.tx, request.body))
      },
      { database, transport: transport(database.url) }
    )
    const good = deliveryOf(Task, { id: 'k', n: 1 }, { replyTo: SIGNALS })
    const { headers } = good
    const value = good.raw
    const { ce_id: _, ...noId } = headers
    const notUtf8 = Buffer.from('{"id":"k\xff","n":1}', 'latin1')
    const latin = Buffer.from([0xff, 0xfe, 0x00, 0x41])
    const messages = [
      { headers: {}, value: latin },
      { headers: noId, value },
      { headers: { ...headers, ce_specversion: Buffer.from('0.3') }, value },
      { headers: { ...headers, ce_type: Buffer.from('a\u0000b') }, value },
      { headers: { ...headers, ce_id: Buffer.from('bad-json') }, value: Buffer.from('{"id": ') },
      { headers: { ...headers, ce_id: Buffer.from('empty') }, value: Buffer.alloc(0) },
      { headers: { ...headers, ce_id: Buffer.from('no-utf8') }, value: notUtf8 },
      {
        headers: { ...headers, ce_id: Buffer.from('proto') },
        value: Buffer.from('{"id":"k","n":1,"__proto__":{"x":1}}')
      },
      { headers: { ...headers, ce_id: Buffer.from('misfit') }, value: Buffer.from('{"id":"k","n":"1"}') },
      { headers, value }
    ].map(message => ({ topic: TASKS, key: 'k', ...message }))
    const results = await app.transport.publish(messages, AbortSignal.timeout(10_000))
    t.ok(results.every(({ ok }) => ok))
    await until(async () => (await effects(pool)).length === 1, { what: 'the good one behind them' })
    await until(async () => (await app.inbox.lag()) === 0n)
    const { rows } = await pool.query(
      `select error->>'code' as code, body, state, event_id from steadfast.inbox where state = 'REFUSED' order by split_part(position, ':', 2)::integer`
    )
    t.same(
      rows.map(r => r.code),
      [
        ...Array(4).fill('SF_EVENTS_UNDECODABLE'),
        'SF_INBOX_UNDECODABLE',
        'SF_INBOX_DATA_REFUSED',
        'SF_INBOX_UNDECODABLE',
        'SF_INBOX_UNDECODABLE',
        'SF_INBOX_DATA_REFUSED'
      ]
    )
    t.same(rows[0].body, latin, 'bytes exactly')
    t.same(rows[4].body.toString(), '{"id": ')
    t.same(rows[6].body, notUtf8, 'not as a decoder of text would have it')
    t.equal((await events(pool, 'steadfast.refused')).length, 5, 'whoever asked this service is told')
  })
}

t.test('a second arrival of the same poison is the same row, wherever it stands in the log', async t => {
  const { app, pool } = await build(t, app => app.onEvent(Task, async () => {}))
  const broken = { raw: Buffer.from('no json'), id: randomUUID() }
  const arrive = async (options: object) =>
    (await deliver(app, Task, { id: 'k', n: 1 }, { ...broken, ...options })).outcome
  t.equal(await arrive({ position: '0:7' }), 'refused')
  t.equal(await arrive({ position: '0:7' }), 'duplicate')
  t.equal(await arrive({ position: '0:9' }), 'duplicate')
  t.equal((await pool.query('select from steadfast.inbox')).rowCount, 1)
  t.equal(await arrive({ position: '0:7', id: randomUUID() }), 'refused', 'another one in the place of the first')
  t.equal((await pool.query('select from steadfast.inbox')).rowCount, 2)
})

for (const [words, raw, code] of [
  ['does not fit its contract', '{"id":"k","n":"1"}', 'SF_INBOX_DATA_REFUSED'],
  ['is no JSON', '{"id": ', 'SF_INBOX_UNDECODABLE']
] as const) {
  t.test(`an event that ${words} and comes again ends as a duplicate, and its refusal goes out again`, async t => {
    const { app, pool } = await build(t, app => app.onEvent(Task, async () => {}))
    const misfit = { raw: Buffer.from(raw), id: randomUUID(), replyTo: SIGNALS }
    t.match(await deliver(app, Task, { id: 'k', n: 1 }, misfit), { outcome: 'refused', error: { code } })
    await pool.query('update steadfast.event set due = false, status = $1, count = 1', ['PUBLISHED'])
    t.match(await deliver(app, Task, { id: 'k', n: 1 }, misfit), { outcome: 'duplicate' })
    const refusals = await pool.query('select type, due, replay from steadfast.event')
    t.same(refusals.rows, [{ type: 'steadfast.refused', due: true, replay: true }])
  })
}

t.test('what one does not want is declared', async t => {
  const { app, pool } = await build(t, app => {
    app.onEvent(Task, async () => {})
    app.ignoreEvents(TASKS, ['other']).ignoreEvents(TASKS, [Note.type])
  })
  t.match(await deliver(app, Note, { id: 'k', n: 1 }), { outcome: 'ignored' })
  t.equal((await pool.query('select from steadfast.inbox')).rowCount, 0)
})

t.test('a type that another group of the service takes is not unknown', async t => {
  const { app } = await build(t, app => {
    app.onEvent(Task, async () => {})
    app.onEvent(Note, { group: 'projection' }, async () => {})
  })
  t.match(await deliver(app, Note, { id: 'k', n: 1 }), { outcome: 'ignored' })
  t.match(await deliver(app, Note, { id: 'k', n: 1 }, { group: 'projection' }), { outcome: 'handled' })
})

t.test("'*' ignores whatever no handler takes", async t => {
  const { app } = await build(t, app => {
    app.onEvent(Task, async () => {})
    app.ignoreEvents(TASKS, '*')
  })
  t.match(await deliver(app, Note, { id: 'k', n: 1 }), { outcome: 'ignored' })
  t.match(await deliver(app, Task, { id: 'k', n: 1 }), { outcome: 'handled' })
  void send
})
