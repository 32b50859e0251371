import t from 'tap'
import { findCaused } from '../src/find-caused.ts'
import { replayAnswers } from '../src/replay-answers.ts'
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
    (await findCaused(db, cause)).map(e => e.id),
    [answer, refusal, onItsWay, parked, other]
  )
  const due = async () =>
    (await pool.query('select id, replay, status, count from steadfast.event where due order by seq')).rows
  t.same(await replayAnswers(db, cause), { answers: 3 })
  t.same(await due(), [
    { id: answer, replay: true, status: 'PUBLISHED', count: 1 },
    { id: onItsWay, replay: false, status: 'NEW', count: 0 }
  ])
  t.same(await replayAnswers(db, cause, 'REFUSED'), { answers: 1 })
  t.equal((await due()).length, 3)
  t.same(await replayAnswers(db, idFrom(0)), { answers: 0 })
})
