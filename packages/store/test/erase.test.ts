import { createHash } from 'node:crypto'
import { matchWhole } from '@steadfast/dev-services'
import t from 'tap'
import { erase } from '../src/index.ts'
import {
  getDelivery,
  getEvent,
  listAudit,
  replayAnswers,
  reprocessDelivery,
  resendEvent,
  storyOf,
  turnUnanswered
} from '../src/internal.ts'
import { store } from './deliveries.ts'
import { Answered, Asked, idFrom, seedDelivery, seedEvent, Told } from './seed.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const by = { actor: 'ann', note: 'she asked for it' }
const NONE = { erased: 0, left: 0 }
const HEADERS = { traceparent: 'of her' }
const done = { status: 'PUBLISHED', due: false, count: 1 }

t.test('what is finished is emptied, with a hash of what was there; what is still needed is left', async t => {
  const { pool, db } = await store(t)
  const told = 'RESOLVED REFUSED'
  const resolved = { status: 'RESOLVED', park_reason: 'REFUSED', due: false }
  const cases: [boolean, object, typeof Asked | typeof Told][] = [
    [false, { status: 'NEW' }, Told],
    [false, { ...done, due: true }, Told],
    [true, done, Told],
    [false, done, Asked],
    [true, { ...done, status: 'CONFIRMED' }, Asked],
    [false, { ...done, status: 'CONFIRMED', due: true }, Asked],
    [false, { ...done, status: 'PARKED' }, Asked],
    [false, { ...done, status: 'PARKED' }, Told],
    [true, resolved, Told],
    [false, resolved, Asked],
    [false, { ...resolved, reacted_to: 'PARKED REFUSED' }, Asked],
    [true, { ...resolved, reacted_to: told }, Asked]
  ]
  const text = '{ "key": "her", "name": "Ann" }'
  const rows: { id: string; erased: boolean }[] = []
  for (const [erased, columns, contract] of cases) {
    const id = await seedEvent(pool, { key: 'her', payload: text, headers: HEADERS, ...columns }, { contract })
    rows.push({ id, erased })
  }
  const other = await seedEvent(pool, { ...done, key: 'him' }, { contract: Told })
  const before = await getEvent(db, rows[2]?.id ?? '')

  t.same(await erase(pool, { key: 'her', ...by }), {
    events: { erased: 4, left: 8 },
    deliveries: NONE,
    keyHash: sha256('her')
  })
  for (const { id, erased } of rows) {
    const event = await getEvent(db, id)
    const empty = { payload: null, headers: {}, erasedAt: Date, erasedHash: sha256(text), key: 'her' }
    t.match(event, erased ? empty : { payload: text, headers: HEADERS, erasedAt: null, erasedHash: null }, id)
  }
  const { rows: left } = await pool.query(
    `select 1 from steadfast.event where id = any($1) and payload::text like '%Ann%'`,
    [rows.filter(({ erased }) => erased).map(({ id }) => id)]
  )
  t.equal(left.length, 0)
  t.match(await getEvent(db, other), { payload: '{"key":"him"}', erasedAt: null })
  t.same((await getEvent(db, rows[2]?.id ?? ''))?.updatedAt, before?.updatedAt, 'its age counts from its end')
  matchWhole(t, await listAudit(db, {}, { limit: 9 }), [
    {
      actor: 'ann',
      action: 'erase',
      note: by.note,
      eventId: null,
      details: { keyHash: sha256('her'), events: 4, eventsLeft: 8, deliveries: 0, deliveriesLeft: 0 }
    }
  ])
  t.notMatch(JSON.stringify(await listAudit(db, {}, { limit: 9 })), '"her"')

  t.match(await erase(pool, { key: 'her', ...by }), { events: { erased: 0, left: 8 } }, 'again: nothing more')
  t.match(await erase(pool, { key: 'her', ...by, untold: true }), { events: { erased: 2, left: 6 } })
  t.equal((await getEvent(db, rows[2]?.id ?? ''))?.erasedHash, sha256(text), 'the hash is that of what was there')
})

t.test('deliveries: what is finished is emptied, held ones only when asked', async t => {
  const { pool, db } = await store(t)
  const envelope = { id: idFrom(0), source: 'market', headers: HEADERS, sequence: '1' }
  const states = ['DONE', 'RETRY', 'BLOCKED', 'UNKNOWN', 'HELD', 'REFUSED']
  const ids: Record<string, string> = {}
  for (const state of states) ids[state] = await seedDelivery(pool, { state, key: 'her', envelope })
  const bare = await seedDelivery(pool, { key: 'her' })
  await seedDelivery(pool, { state: 'REFUSED' })
  const get = (state: string) => getDelivery(db, 'deploy', ids[state] ?? '')
  t.match(await erase(pool, { key: 'her', ...by }), { events: NONE, deliveries: { erased: 2, left: 4 } })
  const empty = { body: null, erasedAt: Date, envelope: { id: envelope.id, source: 'market', sequence: '1' } }
  t.match(await get('REFUSED'), { ...empty, state: 'REFUSED', erasedHash: sha256('{"key":"k"}') })
  t.match(await get('DONE'), { ...empty, state: 'DONE', erasedHash: null })
  t.same((await get('DONE'))?.envelope.headers, {})
  for (const state of ['RETRY', 'BLOCKED', 'UNKNOWN', 'HELD'])
    t.match(await get(state), { state, body: Buffer, erasedAt: null, envelope }, state)
  t.match(await getDelivery(db, 'deploy', bare), { erasedAt: null }, 'nothing was in it')
  t.match(await erase(pool, { key: 'her', ...by, held: true }), { deliveries: { erased: 1, left: 3 } })
  t.match(await get('HELD'), { ...empty, state: 'HELD' })
  for (const state of ['HELD', 'REFUSED'])
    t.equal(await reprocessDelivery(db, { consumer: 'deploy', eventId: ids[state] ?? '', actor: 'ann' }), false, state)
})

t.test('by an event: its row, its deliveries, and what told of it', async t => {
  const { pool, db } = await store(t)
  const id = await seedEvent(pool, { ...done, status: 'RESOLVED', park_reason: 'REFUSED' })
  const same = await seedEvent(pool, done, { contract: Told })
  t.equal(await turnUnanswered(db, { consumer: 'market', source: 'market', types: [Asked.type], limit: 9 }), 1)
  await pool.query(`update steadfast.inbox set state = 'REFUSED'`)
  await seedDelivery(pool, { event_id: id, state: 'REFUSED' })
  t.same(await erase(pool, { eventId: id, ...by }), {
    events: { erased: 1, left: 0 },
    deliveries: { erased: 2, left: 0 },
    keyHash: null
  })
  t.match(await getEvent(db, same), { erasedAt: null }, 'no other of its key')
  matchWhole(t, await listAudit(db, { eventId: id }, { limit: 9 }), [
    { action: 'erase', details: { keyHash: null, events: 1 } }
  ])
})

t.test('what was erased is not sent again: by a person, as a stored answer, to a handler', async t => {
  const { pool, db } = await store(t)
  const id = await seedEvent(pool, { ...done, key: 'her' }, { contract: Told })
  const answer = await seedEvent(pool, { ...done, key: 'her' }, { contract: Answered, inReplyTo: idFrom(0) })
  const { causationId } = (await getEvent(db, answer)) ?? {}
  const untold = await seedEvent(pool, { ...done, key: 'her', status: 'RESOLVED', park_reason: 'REFUSED' })
  t.match(await erase(pool, { key: 'her', ...by, untold: true }), { events: { erased: 3, left: 0 } })
  t.equal(await resendEvent(db, { id, actor: 'bob' }), 'unfit')
  t.same(await replayAnswers(db, { causationId: causationId ?? '', source: 'market' }), { answers: 1 })
  t.equal(await turnUnanswered(db, { consumer: 'market', source: 'market', types: [Asked.type], limit: 9 }), 0)
  t.equal((await pool.query('select from steadfast.event where due')).rowCount, 0)
  t.match(await storyOf(db, untold), { event: { payload: null, erasedAt: Date } })
})

t.test('what somebody has locked is left, and nobody waits', async t => {
  const { pool, db } = await store(t)
  const id = await seedEvent(pool, { ...done, key: 'her' }, { contract: Told })
  const client = await pool.connect()
  await client.query('begin')
  await client.query('update steadfast.event set due = true where id = $1', [id])
  t.match(await erase(pool, { key: 'her', ...by }), { events: { erased: 0, left: 1 } })
  await client.query('commit')
  client.release()
  t.match(await erase(pool, { key: 'her', ...by }), { events: { erased: 0, left: 1 } }, 'due by now')
  t.match(await getEvent(db, id), { payload: '{"key":"her"}' })
})

t.test('in the schema that is named, and nothing without a key', async t => {
  const { pool } = await store(t)
  await t.rejects(erase(pool, { key: 'k', ...by, schema: `x'; --` }), { code: 'SF_STORE_IDENTIFIER_INVALID' })
  await t.rejects(erase(pool, { key: 'k', ...by, schema: 'elsewhere' }), { code: '42P01' })
  await seedEvent(pool, done, { contract: Told })
  const nothing = { ...by, key: undefined as unknown as string }
  t.match(await erase(pool, nothing), { events: NONE, deliveries: NONE })
})
