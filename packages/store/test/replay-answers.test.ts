import t from 'tap'
import { replayAnswers } from '../src/verbs/event/replay-answers.ts'
import { findCaused } from '../src/verbs/operator/find-caused.ts'
import { store } from './deliveries.ts'
import { Answered, idFrom, seedEvent, Told } from './seed.ts'

t.test('answers go out again under their ids, and nothing else does', async t => {
  const { db, pool } = await store(t)
  const cause = idFrom(0)
  const answered = { contract: Answered, inReplyTo: cause }
  const answer = await seedEvent(pool, { status: 'PUBLISHED', due: false, count: 1 }, answered)
  const refusal = await seedEvent(
    pool,
    { status: 'PUBLISHED', due: false, count: 1, type: 'steadfast.refused' },
    answered
  )
  const onItsWay = await seedEvent(pool, { status: 'NEW' }, answered)
  const parked = await seedEvent(pool, { status: 'PARKED', due: false }, answered)
  const other = await seedEvent(pool, { status: 'PUBLISHED', due: false, causation_id: cause }, { contract: Told })
  t.same(
    (await findCaused(db, { causationId: cause, source: 'market' })).map(e => e.id),
    [answer, refusal, onItsWay, parked, other]
  )
  const due = async () =>
    (await pool.query('select id, replay, status, count from steadfast.event where due order by seq')).rows
  t.same(await replayAnswers(db, { causationId: cause, source: 'market' }), { answers: 3 })
  t.same(await due(), [
    { id: answer, replay: true, status: 'PUBLISHED', count: 1 },
    { id: onItsWay, replay: false, status: 'NEW', count: 0 }
  ])
  t.same(await replayAnswers(db, { causationId: cause, source: 'market', of: 'REFUSED' }), { answers: 1 })
  t.equal((await due()).length, 3)
  t.same(await replayAnswers(db, { causationId: idFrom(0), source: 'market' }), { answers: 0 })
})

t.test('answers of another service in the schema, and those that were corrected, stay where they are', async t => {
  const { db, pool } = await store(t)
  const cause = idFrom(0)
  const answered = { contract: Answered, inReplyTo: cause }
  const sent = { status: 'PUBLISHED', due: false, count: 1 }
  await seedEvent(pool, { ...sent, source: 'stranger' }, answered)
  const old = await seedEvent(pool, sent, answered)
  const corrected = await seedEvent(pool, { ...sent, supersedes: old }, answered)
  await pool.query('update steadfast.event set superseded_by = $2 where id = $1', [old, corrected])
  t.same(await replayAnswers(db, { causationId: cause, source: 'market' }), { answers: 1 })
  t.same((await pool.query('select id from steadfast.event where due')).rows, [{ id: corrected }])
  t.same(
    (await findCaused(db, { causationId: cause, source: 'market' })).map(({ id }) => id),
    [corrected]
  )
})
