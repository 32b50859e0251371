import { randomUUID } from 'node:crypto'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { checkAnswer } from '../src/verbs/event/check-answer.ts'
import { confirmEvent } from '../src/verbs/event/confirm-event.ts'
import { turnUnanswered } from '../src/verbs/event/turn-unanswered.ts'
import { claimReaction } from '../src/verbs/inbox/claim-reaction.ts'
import { findRunnable } from '../src/verbs/inbox/find-runnable.ts'
import { store } from './deliveries.ts'
import { Asked, seedEvent } from './seed.ts'

const query = { consumer: 'market.own', source: 'market', types: [Asked.type], limit: 100 }
const PARKED = { status: 'PARKED', due: false, count: 6, park_reason: 'UNCONFIRMED', last_error: 'sent 6 times' }

t.test('each change becomes a delivery, once; what needs no handler becomes none', async t => {
  const { pool, db } = await store(t)
  const turned = async () => {
    const count = await turnUnanswered(db, query)
    const { rows } = await pool.query(`select causation_id as id from steadfast.inbox order by arrival offset $1`, [
      seen
    ])
    seen += rows.length
    t.equal(rows.length, count)
    return rows.map(({ id }) => id)
  }
  let seen = 0
  const set = (id: string, text: string) => pool.query(`update steadfast.event set ${text} where id = $1`, [id])
  const first = await seedEvent(pool, PARKED)
  const second = await seedEvent(pool, PARKED)
  for (const status of ['NEW', 'PUBLISHED', 'CONFIRMED']) await seedEvent(pool, { status })
  await seedEvent(pool, { ...PARKED, awaits_from: null })
  await seedEvent(pool, PARKED, { source: 'another' })
  await seedEvent(pool, { ...PARKED, type: 'another.type' })
  await seedEvent(pool, { ...PARKED, updated_at: new Date(0) }, { agoMs: 86_400_000 })
  t.same(await turned(), [first, second], 'of this service, awaiting, parked, and since the tables know of it')
  t.same(await turned(), [])
  await set(first, `park_reason = 'REFUSED', updated_at = now()`)
  t.same(await turned(), [first], 'it is refused by now')
  await set(first, `status = 'RESOLVED', updated_at = now()`)
  t.same(await turned(), [first])
  await set(second, `status = 'CONFIRMED'`)
  t.same(await turned(), [])
})

t.test('the delivery has the request as it was sent, and what has become of it', async t => {
  const { pool, db } = await store(t)
  const text = '{ "key": "k",  "big": 12345678901234567890 }'
  const id = await seedEvent(pool, {
    ...PARKED,
    payload: text,
    headers: { traceparent: 't' },
    dataversion: '2',
    correlation_id: 'c',
    last_error: null
  })
  t.equal(await turnUnanswered(db, query), 1)
  const [row] = await findRunnable(db, 'market.own', { limit: 10 })
  t.same(row?.body?.toString(), text)
  t.match(row, { topic: 'steadfast:unanswered', type: `steadfast.unanswered.${Asked.type}`, causationId: id, key: 'k' })
  const { unanswered, sequence, ...envelope } = Object(row?.envelope)
  t.same(envelope, {
    id,
    source: 'market',
    type: `steadfast.unanswered.${Asked.type}`,
    key: 'k',
    dataVersion: '2',
    correlationId: 'c',
    attempt: 1,
    replay: false,
    headers: { traceparent: 't' }
  })
  t.match(sequence, /^\d{19}$/)
  t.match(unanswered, { status: 'PARKED', reason: 'UNCONFIRMED', error: '', at: /^\d{4}-\d\d-\d\dT[\d:.]{12}Z$/ })
  t.same(Object.keys(unanswered), ['status', 'reason', 'error', 'at'])
})

t.test('processes that look at the same time make one delivery of each', async t => {
  const { pool, db } = await store(t)
  for (let n = 0; n < 30; n++) await seedEvent(pool, { ...PARKED, key: `k${n}` })
  const counts = await Promise.all(Array.from({ length: 6 }, () => turnUnanswered(db, { ...query, limit: 10 })))
  while ((await turnUnanswered(db, { ...query, limit: 10 })) > 0) counts.push(0)
  const { rows } = await pool.query(
    'select count(*)::int as n, count(distinct causation_id)::int as of from steadfast.inbox'
  )
  t.same(rows, [{ n: 30, of: 30 }])
  t.ok(counts.every(count => count <= 10))
})

t.test('a change that another session is about to overtake is not told of', async t => {
  const { pool, db } = await store(t)
  const id = await seedEvent(pool, PARKED)
  const client = await pool.connect()
  t.teardown(() => client.release(true))
  await client.query('begin')
  await client.query(`update steadfast.event set status = 'CONFIRMED' where id = $1`, [id])
  t.equal(await turnUnanswered(db, query), 0, 'it is not waited for')
  await client.query('commit')
  t.equal(await turnUnanswered(db, query), 0)
})

t.test('the handler is for nobody any more when the request has changed; one that is gone is owed it', async t => {
  const { pool, db } = await store(t)
  const unanswered = { status: 'PARKED', reason: 'UNCONFIRMED', error: '', at: '' } as const
  const claim = (id: string) => claimReaction(db, { id, unanswered })
  const reacted = async (id: string) =>
    (await pool.query('select reacted_at is not null as reacted from steadfast.event where id = $1', [id])).rows[0]
      .reacted
  const id = await seedEvent(pool, PARKED)
  t.equal(await claim(id), 'claimed')
  t.equal(await reacted(id), true)
  for (const columns of [
    { ...PARKED, status: 'CONFIRMED', park_reason: null },
    { ...PARKED, status: 'RESOLVED' },
    { ...PARKED, park_reason: 'REFUSED' }
  ]) {
    const other = await seedEvent(pool, columns)
    t.equal(await claim(other), 'outdated', JSON.stringify(columns))
    t.equal(await reacted(other), false)
  }
  t.equal(await claim(randomUUID()), 'claimed', 'retention has removed it')
})

t.test('an answer that has not seen the handler run does not confirm after it', async t => {
  const { pool, db } = await store(t)
  const answer = { answerId: randomUUID(), source: 'deploy', answersType: Asked.type }
  for (const [reacted_at, fit] of [
    [null, 'open'],
    [new Date(), 'reacted']
  ] as const) {
    const causationId = await seedEvent(pool, { ...PARKED, reacted_at })
    t.equal(await checkAnswer(db, { ...answer, causationId }), fit)
    const reacted = fit === 'reacted'
    t.equal(await confirmEvent(db, { ...answer, causationId, reacted: !reacted }), 'unchanged')
    t.equal(await confirmEvent(db, { ...answer, causationId, reacted }), 'unparked')
  }
})

t.test('what waits for a handler is found by its index, whatever else is parked or resolved', async t => {
  const { pool, db } = await store(t)
  await pool.query(
    `insert into steadfast.event (id, lane, source, type, topic, key, payload, headers, status, due, max_sends, awaits_from, park_reason, correlation_id, reacted_to)
     select gen_random_uuid(), 0, 'market', $1, 'asked', 'k', '{}', '{}', 'RESOLVED', false, 6, 'deploy', 'REFUSED', 'c', 'RESOLVED REFUSED'
     from generate_series(1, 20000)`,
    [Asked.type]
  )
  await pool.query('analyze steadfast.event')
  const seen: string[] = []
  const spy = storeOn({
    query: (text: string, values?: unknown[]) => {
      seen.push(text)
      return pool.query(text, values)
    }
  })
  await turnUnanswered(spy, query)
  const values = [query.consumer, query.source, query.types, query.limit]
  const { rows } = await pool.query(`explain ${seen[0]}`, values)
  const plan = rows.map(row => row['QUERY PLAN']).join('\n')
  t.match(plan, 'event_unreacted')
  t.notMatch(plan, 'Seq Scan on event')
  t.equal(await turnUnanswered(db, query), 0)
})
