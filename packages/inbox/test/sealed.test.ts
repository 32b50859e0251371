import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto'
import { until } from '@steadfast/dev-services'
import { defineEvent, type EventContract, type Open, type Seal, type SealedEvent } from '@steadfast/events'
import t from 'tap'
import { Type } from 'typebox'
import { deliver, retryOnce } from '../src/testing.ts'
import { build, effects, inboxRow, insertEffect, Task } from './helper.ts'

// A key for each of our keys, so that what it has locked is gone when it is thrown away.
function createLock() {
  const keys = new Map<string, Buffer>()
  const bindTo = ({ id, source, type, key }: SealedEvent) => Buffer.from(JSON.stringify([id, source, type, key]))
  const seal: Seal = (payload, event) => {
    const of = String(event.key)
    const secret = keys.get(of) ?? randomBytes(32)
    keys.set(of, secret)
    const iv = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', secret, iv).setAAD(bindTo(event))
    const text = Buffer.concat([cipher.update(payload), cipher.final()])
    return JSON.stringify(['sealed', ...[iv, cipher.getAuthTag(), text].map(bytes => bytes.toString('base64'))])
  }
  const open: Open = async (payload, event) => {
    if (!payload.startsWith('["sealed"')) return payload
    const [, ...parts] = JSON.parse(payload) as string[]
    const [iv, tag, text] = parts.map(part => Buffer.from(part, 'base64')) as [Buffer, Buffer, Buffer]
    const secret = keys.get(String(event.key))
    if (secret === undefined) throw new Error('there is no key any more')
    const decipher = createDecipheriv('aes-256-gcm', secret, iv).setAuthTag(tag).setAAD(bindTo(event))
    return Buffer.concat([decipher.update(text), decipher.final()]).toString('utf8')
  }
  return { keys, seal, open }
}

const Letter = defineEvent({
  type: 'worker.letter',
  topic: `letters-${randomUUID().slice(0, 8)}`,
  key: d => d.id,
  data: Type.Object({ id: Type.String(), n: Type.Integer(), text: Type.String() })
})
const Question = defineEvent({ ...Letter, type: 'worker.question', awaits: { from: 'shop' } })
const contracts = [Letter, Question] as unknown as EventContract[]
const SECRET = 'nobody but the two may read this'

t.test('what is sealed is ciphertext in every table, and the handler sees what was sent', async t => {
  const { seal, open } = createLock()
  const seen: string[] = []
  const { app, pool } = await build(
    t,
    app => {
      app.onEvent(Letter, async request => {
        seen.push(request.body.text)
        await insertEffect(request.tx, request.body)
      })
    },
    { contracts, outbox: { seal }, inbox: { open } }
  )
  const sent = await app.outbox.transaction(tx => tx.sendEvent(Letter, { id: 'k', n: 1, text: SECRET }))
  const { rows } = await pool.query('select payload::text as payload, key from steadfast.event')
  t.equal(rows.length, 1)
  t.equal(rows[0].key, 'k')
  t.match(rows[0].payload, /^\["sealed",/)
  const message = { id: sent.id, key: 'k', source: 'worker' }
  const raw = Buffer.from(rows[0].payload)
  t.match(await deliver(app, Letter, { id: 'k', n: 1, text: '' }, { ...message, raw }), { outcome: 'handled' })
  t.same(seen, [SECRET])
  t.match(await deliver(app, Letter, { id: 'k', n: 2, text: 'open' }, { key: 'k' }), { outcome: 'handled' })
  t.same(seen, [SECRET, 'open'], 'what was not sealed is taken as it is')
  t.same(await effects(pool), [1, 2])
})

t.test('what is checked is what was sent; what seal gives must be JSON, and small enough', async t => {
  for (const [seal, code] of [
    [() => 'no json', 'SF_EVENTS_PAYLOAD_INVALID'],
    [() => 1, 'SF_EVENTS_PAYLOAD_INVALID'],
    [async () => '1', 'SF_EVENTS_PAYLOAD_INVALID'],
    [() => '"\\u0000"', 'SF_EVENTS_PAYLOAD_INVALID'],
    [
      () => {
        throw new Error('no key')
      },
      'SF_EVENTS_PAYLOAD_INVALID'
    ],
    [() => JSON.stringify('x'.repeat(200)), 'SF_EVENTS_PAYLOAD_TOO_LARGE']
  ] as const) {
    const { app, pool } = await build(t, () => {}, { contracts, outbox: { seal, maxPayloadBytes: 150 } })
    const send = app.outbox.transaction(tx => tx.sendEvent(Letter, { id: 'k', n: 1, text: SECRET }))
    await t.rejects(send, { code })
    t.equal((await pool.query('select from steadfast.event')).rowCount, 0)
  }
})

t.test(
  'a key that is missing is a failure: retried, handled when it is there, else held; nothing is refused',
  async t => {
    const { keys, seal, open } = createLock()
    const { app, pool } = await build(
      t,
      app => {
        app.onEvent(Letter, async request => insertEffect(request.tx, request.body))
      },
      { contracts, outbox: { seal }, inbox: { open } }
    )
    const send = async (id: string) => {
      const sent = await app.outbox.transaction(tx => tx.sendEvent(Letter, { id, n: 1, text: SECRET }))
      const { rows } = await pool.query('select payload::text as payload from steadfast.event where id = $1', [sent.id])
      return { id: sent.id, key: id, source: 'worker', raw: Buffer.from(rows[0].payload) }
    }
    const [late, gone] = [await send('late'), await send('gone')]
    const key = keys.get('late') as Buffer
    keys.clear()
    for (const message of [late, gone])
      t.match(await deliver(app, Letter, { id: message.key, n: 1, text: '' }, message), {
        outcome: 'set-aside',
        error: { code: 'SF_INBOX_NOT_OPENED', message: /there is no key any more/ }
      })
    keys.set('late', key)
    await until(async () => {
      await retryOnce(app)
      return (await inboxRow(pool, gone.id))?.state === 'HELD'
    })
    t.equal((await inboxRow(pool, late.id))?.state, 'DONE')
    t.same(await effects(pool), [1])
    const { rows } = await pool.query('select body, error from steadfast.inbox')
    t.notOk(JSON.stringify(rows.map(({ body, error }) => [body?.toString(), error])).includes(SECRET))
  }
)

t.test('onUnanswered is given what was sent', async t => {
  const { seal, open } = createLock()
  const seen: string[] = []
  const { app, pool } = await build(
    t,
    app => {
      app.onUnanswered(Question, async request => void seen.push(request.body.text))
    },
    { contracts, outbox: { seal }, inbox: { open } }
  )
  await app.outbox.transaction(tx => tx.sendEvent(Question, { id: 'k', n: 1, text: SECRET }))
  await pool.query(
    `update steadfast.event set status = 'PARKED', due = false, park_reason = 'UNCONFIRMED', updated_at = clock_timestamp()`
  )
  await retryOnce(app)
  t.same(seen, [SECRET])
})

t.test('without the option it is taken as it comes, and the contract refuses it', async t => {
  const { app } = await build(t, app => void app.onEvent(Task, async () => {}))
  t.match(await deliver(app, Task, { id: 'k', n: 1 }, { raw: Buffer.from('["sealed"]') }), {
    outcome: 'refused',
    error: { code: 'SF_INBOX_DATA_REFUSED' }
  })
})
