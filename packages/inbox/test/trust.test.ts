import { createSecretKey, generateKeyPairSync, randomUUID } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import {
  type Delivery,
  defineEvent,
  type EventContract,
  ReceiptSignal,
  RefusedSignal,
  signMessage
} from '@steadfast/events'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { AlarmMessage } from '../src/channels.ts'
import { takeIn } from '../src/consumer.ts'
import { kConsumers } from '../src/index.ts'
import { deliver, deliveryOf, retryOnce } from '../src/testing.ts'
import type { Consumer } from '../src/types.ts'
import {
  type BuildOptions,
  build,
  effects,
  events,
  insertEffect,
  Note,
  SIGNALS,
  TASKS,
  Task,
  TaskDone
} from './helper.ts'

// a busy machine takes its time
t.setTimeout(240_000)

const d = { id: 'k', n: 1 }
const NOTES = `${TASKS}-notes`
const Elsewhere = defineEvent({ type: 'team.note', topic: NOTES, key: x => x.id, data: Task.data })
const contracts = (...list: unknown[]) => list as EventContract[]

function alarmsOf(t: Test): string[] {
  const alarms: string[] = []
  const listener = (message: unknown) => void alarms.push((message as AlarmMessage).code)
  subscribe('steadfast:inbox:alarm', listener)
  t.teardown(() => unsubscribe('steadfast:inbox:alarm', listener))
  return alarms
}

/** worker, which shop asks; it reads the notes of another team too. */
async function worker(t: Test, options: BuildOptions = {}) {
  const lines: Record<string, unknown>[] = []
  const state = { fail: false }
  const built = await build(
    t,
    app => {
      app.onEvent(Task, { retry: { quickRetries: 0, delaysMs: [0, 0] } }, async request => {
        if (state.fail) throw new Error('broken')
        await insertEffect(request.tx, request.body)
      })
      app.onEvent(Elsewhere, async request => insertEffect(request.tx, request.body))
    },
    {
      server: { logger: { level: 'warn', stream: { write: (line: string) => void lines.push(JSON.parse(line)) } } },
      ...options
    }
  )
  const rows = async () =>
    (
      await built.pool.query(
        `select event_id, state, source, type, topic, outcome, error->>'code' as code from steadfast.inbox order by arrival`
      )
    ).rows
  return { ...built, alarms: alarmsOf(t), lines, state, rows }
}

/** shop, with one request published and not yet answered. */
async function shop(t: Test, contract = Task) {
  const built = await build(t, app => app.onEvent(TaskDone, async request => insertEffect(request.tx, request.body)), {
    source: 'shop',
    contracts: contracts(contract)
  })
  const { id } = await built.app.outbox.transaction(tx => tx.sendEvent(contract, d))
  await built.pool.query(`update steadfast.event set status = 'PUBLISHED', due = false, count = 1`)
  const event = async () => (await built.pool.query('select * from steadfast.event where id = $1', [id])).rows[0]
  return { ...built, id, event, alarms: alarmsOf(t) }
}

/** Hands a delivery to the service's own group as a transport does. */
async function take(app: FastifyInstance, delivery: Delivery) {
  const consumers = (app.inbox as unknown as { [kConsumers]: Map<string, Consumer> })[kConsumers]
  return await takeIn(consumers.get(app.inbox.group) as Consumer, delivery)
}
/** The same message once more, as its sender sends it: at another place in the log. */
const resent = (delivery: Delivery): Delivery => ({ ...delivery, position: `test:${randomUUID()}` })
const onTopic = (delivery: Delivery, topic: string): Delivery => ({ ...delivery, topic })

t.test('an answer on the topic of signals, to which every consumer writes, confirms nothing', async t => {
  const { app, pool, id, event, alarms } = await shop(t)
  const before = await event()
  const forged = onTopic(deliveryOf(TaskDone, d, { causationId: id }), SIGNALS)
  t.match(await take(app, forged), { outcome: 'refused', error: { code: 'SF_INBOX_WRONG_TOPIC' } })
  t.same(await event(), before)
  t.same(await effects(pool), [])
  t.match(await take(app, forged), { outcome: 'duplicate' }, 'it comes again')
  t.same(alarms, ['SF_INBOX_WRONG_TOPIC'])
})

t.test('a request on a topic of another team is refused, and its sender is not told', async t => {
  const { app, pool, rows, lines } = await worker(t)
  const asked = deliveryOf(Task, d, { source: 'shop', replyTo: SIGNALS })
  t.match(await take(app, onTopic(asked, NOTES)), { outcome: 'refused' })
  t.same(await effects(pool), [])
  t.same(await events(pool), [])
  t.match(lines[0], { level: 40, type: Task.type, topic: NOTES, source: 'shop', code: 'SF_INBOX_WRONG_TOPIC' })
  t.match(await take(app, asked), { outcome: 'handled' }, 'its id is free for the request itself')
  t.same(
    (await rows()).map(({ state, topic }) => [state, topic]),
    [
      ['REFUSED', NOTES],
      ['DONE', TASKS]
    ]
  )
})

t.test('an answer from another source than the awaited is refused before its handler', async t => {
  for (const causation of ['of the request', 'none']) {
    const { app, pool, id, event, alarms } = await shop(t)
    const before = await event()
    const causationId = causation === 'none' ? {} : { causationId: id }
    t.match(await deliver(app, TaskDone, d, { source: 'evil', ...causationId }), {
      outcome: 'refused',
      error: { code: 'SF_INBOX_FOREIGN_SOURCE' }
    })
    t.same(await event(), before)
    t.same(await effects(pool), [])
    t.same(alarms, ['SF_INBOX_FOREIGN_SOURCE'])
  }
})

t.test('a contract says who may send', async t => {
  const Picky = defineEvent({ ...Note, type: 'shop.picky', from: ['shop', 'till'], data: Note.data, key: x => x.id })
  const { app, pool } = await build(t, app => app.onEvent(Picky, async r => insertEffect(r.tx, r.body)))
  for (const [source, outcome] of [
    ['shop', 'handled'],
    ['till', 'handled'],
    ['evil', 'refused']
  ] as const)
    t.equal((await deliver(app, Picky, d, { source })).outcome, outcome, source)
  t.equal((await effects(pool)).length, 2)
})

t.test('an unknown type under the id of a request takes nothing away from it', async t => {
  const { app, pool, rows, alarms } = await worker(t)
  const asked = deliveryOf(Task, d, { source: 'shop', replyTo: SIGNALS })
  for (const source of ['evil', 'shop']) {
    const unknown = { ...asked.headers, ce_type: Buffer.from('evil.unheard-of'), ce_source: Buffer.from(source) }
    const forged = { ...onTopic(asked, NOTES), headers: unknown, position: `evil:${source}` }
    t.match(await take(app, forged), { outcome: 'set-aside' }, source)
  }
  t.same(await events(pool), [], 'nobody is told')
  t.match(await take(app, asked), { outcome: 'handled' })
  t.match(await take(app, resent(asked)), { outcome: 'duplicate' }, 'under the id that is its own')
  t.same(await effects(pool), [1])
  t.same(
    (await rows()).map(({ state, source }) => [state, source]),
    [
      ['UNKNOWN', 'evil'],
      ['BLOCKED', 'shop'],
      ['DONE', 'shop']
    ]
  )
  t.same(alarms, [])
})

t.test('nor does one that is blocked behind others', async t => {
  const { app, pool, state } = await worker(t)
  state.fail = true
  t.match(await take(app, deliveryOf(Task, d, { source: 'shop' })), { outcome: 'set-aside' })
  const asked = deliveryOf(Task, { id: 'l', n: 2 }, { source: 'shop' })
  const headers = { ...asked.headers, ce_type: Buffer.from('evil.unheard-of'), ce_partitionkey: Buffer.from('k') }
  t.match(await take(app, { ...asked, headers, position: 'evil:1' }), { outcome: 'set-aside' })
  state.fail = false
  t.match(await take(app, asked), { outcome: 'handled' })
  t.same(await effects(pool), [2])
})

t.test('a request that waits is not ended by a message of another source, type or topic', async t => {
  const { app, pool, rows, state } = await worker(t)
  state.fail = true
  const asked = deliveryOf(Task, d, { source: 'shop', replyTo: SIGNALS })
  t.match(await take(app, asked), { outcome: 'set-aside' })
  const before = (await pool.query('select * from steadfast.inbox')).rows[0]
  const header = (name: string, value: string) => ({ ...asked.headers, [name]: Buffer.from(value) })
  const attacks: Delivery[] = [
    { ...asked, headers: header('ce_type', 'evil.unheard-of') },
    { ...asked, headers: header('ce_source', 'evil'), raw: Buffer.from('no json') },
    { ...onTopic(asked, NOTES), headers: header('ce_type', Elsewhere.type), raw: Buffer.from('no json') },
    { ...onTopic(asked, NOTES), headers: header('ce_type', Elsewhere.type), raw: Buffer.from('{"id":"k","n":"1"}') },
    onTopic(asked, NOTES)
  ]
  for (const [i, attack] of attacks.entries())
    t.equal((await take(app, { ...attack, position: `evil:${i}` })).outcome, 'refused', `attack ${i}`)
  t.same((await pool.query('select * from steadfast.inbox order by arrival')).rows[0], before)
  t.same(await events(pool), [], 'and nobody is told of it')
  state.fail = false
  t.equal(await retryOnce(app), 1)
  t.same(await effects(pool), [1])
  t.equal((await rows()).length, 1 + attacks.length)
})

t.test('two sources with one UUID: both are handled, each once', async t => {
  const { app, pool, rows, alarms } = await worker(t)
  const id = randomUUID()
  const of = (source: string, n: number) => deliveryOf(Elsewhere, { id: source, n }, { id, source })
  const [first, second, third] = [of('orders', 1), of('payments', 2), of('stock', 3)]
  for (const delivery of [first, second, third]) t.match(await take(app, delivery), { outcome: 'handled' })
  for (const delivery of [third, second, first]) t.match(await take(app, resent(delivery)), { outcome: 'duplicate' })
  await pool.query(`delete from steadfast.inbox where source = 'orders'`)
  t.match(await take(app, resent(second)), { outcome: 'duplicate' }, 'also when the first is forgotten')
  t.same(await effects(pool), [1, 2, 3])
  t.same(
    (await rows()).map(({ state, source }) => [state, source]),
    [
      ['DONE', 'payments'],
      ['DONE', 'stock']
    ]
  )
  t.same(alarms, [])
})

t.test('two sources with one UUID at once', async t => {
  const { app, pool } = await worker(t)
  const id = randomUUID()
  const of = (source: string, n: number) => deliveryOf(Elsewhere, { id: source, n }, { id, source })
  const both = await Promise.all([take(app, of('orders', 1)), take(app, of('payments', 2))])
  t.same(
    both.map(({ outcome }) => outcome),
    ['handled', 'handled']
  )
  t.same((await effects(pool)).sort(), [1, 2])
})

t.test('the second of two sources fails, is set aside, and is handled under its own id', async t => {
  const { app, pool, state, rows } = await worker(t)
  const id = randomUUID()
  t.match(await take(app, deliveryOf(Elsewhere, d, { id, source: 'orders' })), { outcome: 'handled' })
  state.fail = true
  const asked = deliveryOf(Task, { id: 'l', n: 2 }, { id, source: 'shop', replyTo: SIGNALS })
  t.match(await take(app, asked), { outcome: 'set-aside' })
  t.match(await take(app, resent(asked)), { outcome: 'duplicate' })
  const told = (await events(pool)).map(row => [row.type, row.topic, row.causation_id, row.payload.eventId])
  t.same(told, [['steadfast.in-progress', SIGNALS, id, id]], 'its sender is told of it by the id that it knows')
  state.fail = false
  t.equal(await retryOnce(app), 1)
  t.same(await effects(pool), [1, 2])
  t.same(
    (await rows()).map(row => row.state),
    ['DONE', 'DONE']
  )
})

t.test('an id that its source has used for another type is refused with an alarm, and repeats no answer', async t => {
  const { app, pool, rows, alarms } = await worker(t)
  const id = randomUUID()
  t.match(await take(app, deliveryOf(Task, d, { id, source: 'shop', replyTo: SIGNALS })), { outcome: 'handled' })
  const again = deliveryOf(Elsewhere, d, { id, source: 'shop' })
  t.match(await take(app, again), { outcome: 'refused', error: { code: 'SF_INBOX_ID_REUSED' } })
  t.match(await take(app, again), { outcome: 'duplicate' })
  t.same(await effects(pool), [1])
  t.same(await events(pool), [])
  t.same(alarms, ['SF_INBOX_ID_REUSED'])
  t.same(
    (await rows()).map(row => [row.state, row.type]),
    [
      ['DONE', Task.type],
      ['REFUSED', Elsewhere.type]
    ]
  )
})

t.test('what was set aside is looked at again before it runs', async t => {
  const { app, pool, rows, alarms } = await worker(t)
  t.match(await deliver(app, Task, d), { outcome: 'handled' })
  await pool.query(
    `update steadfast.inbox set state = 'RETRY', due_at = now(), topic = $1, body = '{"id":"k","n":1}'`,
    [NOTES]
  )
  t.equal(await retryOnce(app), 1)
  t.same(
    (await rows()).map(row => [row.state, row.code]),
    [['REFUSED', 'SF_INBOX_WRONG_TOPIC']]
  )
  t.same(await effects(pool), [1])
  t.same(alarms, ['SF_INBOX_WRONG_TOPIC'])
})

t.test('other garbage at the same place of a topic that was made anew is another row', async t => {
  const { app, rows } = await worker(t)
  const place = (raw: string, headers: Record<string, Buffer> = {}): Delivery => ({
    topic: TASKS,
    headers,
    raw: Buffer.from(raw),
    timestamp: new Date(),
    position: '0:0',
    done() {}
  })
  t.match(await take(app, place('one')), { outcome: 'refused' })
  t.match(await take(app, place('two')), { outcome: 'refused' })
  t.match(await take(app, place('two', { x: Buffer.from('1') })), { outcome: 'refused' })
  t.match(await take(app, place('one')), { outcome: 'duplicate' })
  t.equal((await rows()).length, 3)
})

t.test('a receipt confirms only what awaits one', async t => {
  const Receipted = defineEvent({
    ...Task,
    type: 'shop.receipted',
    key: x => x.id,
    awaits: { from: 'worker', receipt: true }
  })
  const receipt = (app: FastifyInstance, id: string) =>
    deliver(app, { ...ReceiptSignal, topic: SIGNALS } as never, { eventId: id, consumer: 'x' } as never, {
      source: 'worker'
    })
  const asked = await shop(t)
  const before = await asked.event()
  t.match(await receipt(asked.app, asked.id), { outcome: 'signal' })
  t.same(await asked.event(), before)
  t.same(asked.alarms, ['SF_INBOX_UNASKED_SIGNAL'])
  const receipted = await shop(t, Receipted as unknown as typeof Task)
  t.match(await receipt(receipted.app, receipted.id), { outcome: 'signal' })
  t.match(await receipt(receipted.app, receipted.id), { outcome: 'signal' }, 'twice')
  t.equal((await receipted.event()).status, 'CONFIRMED')
  t.same(asked.alarms, ['SF_INBOX_UNASKED_SIGNAL'])
  await receipted.pool.query(`update steadfast.event set status = 'PUBLISHED', awaits_receipt = null`)
  await receipt(receipted.app, receipted.id)
  t.equal((await receipted.event()).status, 'CONFIRMED', 'of one that was written before the column was')
})

t.test('a signal from elsewhere raises an alarm and changes nothing', async t => {
  const { app, id, event, alarms } = await shop(t)
  const before = await event()
  const refused = { eventId: id, consumer: 'x', status: 409, message: 'no' }
  await deliver(app, { ...RefusedSignal, topic: SIGNALS } as never, refused as never, { source: 'evil' })
  t.same(await event(), before)
  t.same(alarms, ['SF_INBOX_UNASKED_SIGNAL'])
})

t.test('signals go where the source has its signals, or where the options allow, and nowhere else', async t => {
  const { app, pool, lines, state } = await worker(t)
  state.fail = true
  const ask = async (source: string, replyTo: string) => {
    const asked = deliveryOf(Task, { id: randomUUID(), n: 1 }, { source, replyTo })
    t.match(await take(app, asked), { outcome: 'set-aside' })
    t.match(await take(app, resent(asked)), { outcome: 'duplicate' })
    t.ok((await app.inbox.progress(asked.headers.ce_id?.toString() ?? '')) === (await events(pool)).length > 0)
    const topics = (await events(pool)).map(({ topic }) => topic)
    await pool.query('delete from steadfast.event')
    return topics
  }
  t.same(await ask('shop', 'billing.payments'), [])
  t.same(await ask('shop', 'billing.payments'), [])
  t.same(await ask('evil', SIGNALS), [])
  t.same(await ask('evil', 'shop.signals'), [])
  t.same(await ask('__proto__', 'billing.payments'), [])
  t.same(await ask('evil', 'evil.signals'), ['evil.signals', 'evil.signals'])
  t.same(await ask('shop', SIGNALS), [SIGNALS, SIGNALS])
  t.same(await ask('shop', 'shop.signals'), ['shop.signals', 'shop.signals'])
  t.same(
    lines.filter(({ replyTo }) => replyTo !== undefined).map(({ source }) => source),
    ['shop', 'evil', '__proto__'],
    'each source is warned of once'
  )
})

t.test('only the service that is asked refuses: no bystander, and nobody of a type that he does not know', async t => {
  const Ask = defineEvent({ ...Task, type: 'shop.ask', key: x => x.id, awaits: { from: 'elsewhere' } })
  const Tell = defineEvent({ ...Note, type: 'shop.tell', key: x => x.id })
  const { app, pool } = await build(t, app => {
    for (const contract of [Task, Ask, Tell] as (typeof Task)[])
      app.onEvent(contract, async (_, reply) => reply.code(409).send())
  })
  for (const contract of contracts(Ask, Tell))
    for (const raw of [undefined, Buffer.from('no json'), Buffer.from('{}')])
      t.match(await deliver(app, contract, d, { source: 'shop', replyTo: SIGNALS, ...(raw && { raw }) }), {
        outcome: 'refused'
      })
  const unheardOf = { ...Ask, type: 'shop.unheard-of' } as never
  t.match(await deliver(app, unheardOf, d as never, { source: 'shop', replyTo: SIGNALS }), { outcome: 'set-aside' })
  await pool.query(`update steadfast.inbox set due_at = now() where state = 'UNKNOWN'`)
  t.equal(await retryOnce(app), 1, 'nobody has come who knows it')
  t.same(await events(pool), [])
  await deliver(app, Task, d, { source: 'shop', replyTo: SIGNALS })
  t.same(
    (await events(pool)).map(({ type }) => type),
    ['steadfast.refused']
  )
})

t.test('signed envelopes: by the key of their source, or nothing happens', async t => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const secret = createSecretKey(Buffer.alloc(32, 7))
  const { app, pool, rows, alarms } = await worker(t, {
    inbox: {
      verify: { keys: { shop: { new: publicKey, old: secret }, evil: { e: createSecretKey(Buffer.alloc(32, 1)) } } }
    }
  })
  const signed = (delivery: Delivery, key: Parameters<typeof signMessage>[1]): Delivery => ({
    ...delivery,
    headers: signMessage({ ...delivery, key: delivery.key?.toString() ?? '', value: delivery.raw }, key).headers
  })
  const ask = (n: number) => deliveryOf(Task, { id: 'k', n }, { source: 'shop', replyTo: SIGNALS })
  const code = 'SF_EVENTS_SIGNATURE_INVALID'
  t.match(await take(app, ask(1)), { outcome: 'refused', error: { code } }, 'unsigned')
  t.match(
    await take(app, signed(ask(1), { keyId: 'e', key: createSecretKey(Buffer.alloc(32, 1)) })),
    { outcome: 'refused', error: { code } },
    'by the key of another source'
  )
  const altered = signed(ask(1), { keyId: 'new', key: privateKey })
  t.match(await take(app, { ...altered, raw: Buffer.from('{"id":"k","n":9}') }), {
    outcome: 'refused',
    error: { code }
  })
  const unknown = { ...ask(1).headers, ce_type: Buffer.from('shop.unheard-of') }
  t.match(await take(app, { ...ask(1), headers: unknown }), { outcome: 'refused', error: { code } }, 'before the type')
  t.same(await effects(pool), [])
  t.same(await events(pool), [])
  t.same(alarms, Array(4).fill(code))
  t.match(await take(app, altered), { outcome: 'handled' })
  t.match(await take(app, signed(ask(2), { keyId: 'old', key: secret })), { outcome: 'handled' })
  t.same(await effects(pool), [1, 2])
  t.equal((await rows()).length, 6)
})

t.test('a type of 900 KiB is not logged whole, and refusals of one source are not all logged', async t => {
  const { app, lines, pool } = await worker(t)
  const asked = deliveryOf(Task, d, { source: 'evil' })
  const giant = { ...asked.headers, ce_type: Buffer.from('x'.repeat(900 * 1024)) }
  t.match(await take(app, { ...asked, headers: giant }), { outcome: 'refused' })
  t.ok(JSON.stringify(lines).length < 20_000, `${JSON.stringify(lines).length} characters`)
  const { rows } = await pool.query('select length(type) + length(envelope::text) as kept from steadfast.inbox')
  t.ok(rows[0].kept < 20_000, `${rows[0].kept} characters`)
  const before = lines.length
  const misfit = Buffer.from('{}')
  for (let i = 0; i < 30; i++) await deliver(app, Elsewhere, d, { source: 'flood', raw: misfit })
  t.equal(lines.length - before, 10)
  await deliver(app, Elsewhere, d, { source: 'another', raw: misfit })
  t.equal(lines.length - before, 11, 'others are heard')
})
