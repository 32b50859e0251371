import { randomUUID } from 'node:crypto'
import { until } from '@steadfast/dev-services'
import { defineEvent, type EventContract, exactJson } from '@steadfast/events'
import t from 'tap'
import { Type } from 'typebox'
import type { DeliveredEvent } from '../src/index.ts'
import { deliver } from '../src/testing.ts'
import { build, effects, insertEffect, Note, TASKS, Task } from './helper.ts'

/** A message of somebody else's, straight into the topic. */
const publish = async (
  app: Awaited<ReturnType<typeof build>>['app'],
  { headers = {}, value, key = 'k' }: { headers?: Record<string, string>; value: string; key?: string }
) => {
  const bytes = Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)]))
  const message = { topic: TASKS, key, headers: bytes, value: Buffer.from(value) }
  const [result] = await app.transport.publish([message], AbortSignal.timeout(10_000))
  if (!result?.ok) throw result?.error ?? new Error('not published')
}

t.test('an event in structured mode is handled like any other, once', async t => {
  const seen: DeliveredEvent[] = []
  const { app, pool } = await build(t, app => {
    app.onEvent(Note, async request => {
      seen.push(request.event)
      await insertEffect(request.tx, request.body)
    })
  })
  const id = randomUUID()
  const data = '{ "id": "k",  "n": 7 }'
  const value = `{"specversion":"1.0","id":"${id}","source":"java","type":"${Note.type}","dataschema":"https://example.com/s","data":${data}}`
  const headers = { 'content-type': 'application/cloudevents+json; charset=utf-8' }
  await publish(app, { headers, value })
  await publish(app, { headers, value })
  await publish(app, { headers, value: value.replace(id, randomUUID()).replace('"n": 7', '"n": 8') })
  await until(async () => (await effects(pool)).includes(8), { what: 'the last one' })
  t.same(await effects(pool), [7, 8])
  t.match(seen[0], { id, source: 'java', raw: data, attributes: { dataschema: 'https://example.com/s' } })
})

t.test('no data are null; a tombstone may be ignored, and else is kept', async t => {
  const Empty = defineEvent({ type: 'shop.emptied', topic: TASKS, data: Type.Null() })
  const seen: unknown[] = []
  const { app, pool } = await build(t, app => {
    app.onEvent(Empty, async request => void seen.push(request.body))
    app.onEvent(Note, async request => void (await insertEffect(request.tx, request.body)))
  })
  const headers = { ce_specversion: '1.0', ce_id: randomUUID(), ce_source: 'x', ce_type: Empty.type }
  await publish(app, { headers, value: '' })
  await until(() => seen.length === 1, { what: 'the event without data' })
  t.same(seen, [null])
  await publish(app, { value: '' })
  const refused = () => pool.query(`select error->>'code' as code from steadfast.inbox where state = 'REFUSED'`)
  await until(async () => (await refused()).rows.length === 1, { what: 'the tombstone is kept' })
  t.same((await refused()).rows, [{ code: 'SF_EVENTS_UNDECODABLE' }])
  for (const types of ['*', ['steadfast.tombstone']] as const) {
    const other = await build(t, app => {
      app.onEvent(Note, async request => void (await insertEffect(request.tx, request.body)))
      app.ignoreEvents(TASKS, types)
    })
    for (let n = 0; n < 20; n++) await publish(other.app, { value: '' })
    const note = { ce_specversion: '1.0', ce_id: randomUUID(), ce_source: 'x', ce_type: Note.type }
    await publish(other.app, { headers: note, value: '{"id":"k","n":1}' })
    await until(async () => (await effects(other.pool)).length === 1, { what: 'the note behind' })
    t.same((await other.pool.query('select state from steadfast.inbox')).rows, [{ state: 'DONE' }])
  }
})

t.test('no integer is rounded: refused by name, or exact where the service asks for it', async t => {
  const text = (n: string) => `{"id":"k","n":${n}}`
  const { app } = await build(t, app => void app.onEvent(Task, async () => {}))
  const of = (n: string) => deliver(app, Task, { id: 'k', n: 1 }, { raw: Buffer.from(text(n)) })
  t.match(await of('9007199254740991'), { outcome: 'handled' })
  for (const n of ['9007199254740993', '-12345678901234567890', '1e400'])
    t.match(await of(n), { outcome: 'refused', error: { code: 'SF_INBOX_NUMBER_INEXACT', message: n } })
  const Big = defineEvent({
    type: 'shop.big',
    topic: TASKS,
    data: Type.Object({ id: Type.String(), n: Type.BigInt() })
  })
  const seen: unknown[] = []
  const exact = await build(t, app => void app.onEvent(Big, async request => void seen.push(request.body.n)), {
    inbox: { bigIntegers: 'bigint' }
  })
  const raw = Buffer.from(text('-12345678901234567890'))
  const small = { ...Task, type: Big.type } as unknown as typeof Task
  t.match(await deliver(exact.app, small, { id: 'k', n: 1 }, { raw }), { outcome: 'handled' })
  t.same(seen, [-12345678901234567890n])
  t.match(await deliver(exact.app, small, { id: 'k', n: 1 }, { raw: Buffer.from(text('1e400')) }), {
    error: { code: 'SF_INBOX_NUMBER_INEXACT' }
  })
})

t.test('attributes can be sent, and arrive; what no consumer would read is refused where it is sent', async t => {
  const Free = defineEvent({ type: 'shop.free', topic: TASKS, data: Type.Unknown() })
  const { app, pool } = await build(t, () => {}, { contracts: [Free] as unknown as EventContract[] })
  const send = (data: unknown, options: object = {}) =>
    app.outbox.transaction(tx => tx.sendEvent(Free, data as never, options))
  await send({}, { attributes: { subject: 's', dataschema: 'https://example.com/s', ext: 'x' } })
  const { rows } = await pool.query('select headers from steadfast.event')
  t.same(rows, [{ headers: { ce_subject: 's', ce_dataschema: 'https://example.com/s', ce_ext: 'x' } }])
  for (const attributes of [{ id: 'x' }, { Upper: 'x' }, { ext: '' }, { ext: 'a\u0000' }, { replyto: 'x' }])
    await t.rejects(send({}, { attributes }), { code: 'SF_EVENTS_HEADER_INVALID' })
  for (const text of ['{"a":{"__proto__":1}}', '{"\\u005f_proto__":1}', '[{"constructor":{"prototype":{}}}]'])
    await t.rejects(send(exactJson(text)), { code: 'SF_EVENTS_PAYLOAD_INVALID', message: /consumers refuse it/ })
  await t.resolves(send(exactJson('{"constructor":"Boeing","text":"__proto__"}')))
})

t.test('a type may be whatever CloudEvents allows', async t => {
  const types = ['com.example/Person$Told', 'a:b*c?d#e%2F..', 'мир 和平', '~dGVzdA', 'x'.repeat(255)]
  const seen: string[] = []
  const contracts = types.map(type => defineEvent({ type, topic: TASKS, data: Note.data }))
  const { app, pool } = await build(t, app => {
    for (const contract of contracts) app.onEvent(contract, async request => void seen.push(request.event.type))
  })
  for (const contract of contracts)
    t.match(await deliver(app, contract, { id: 'k', n: 1 }), { outcome: 'handled' }, contract.type)
  t.same(seen, types)
  t.same(
    (await pool.query('select type from steadfast.inbox order by arrival')).rows.map(row => row.type),
    types
  )
})
