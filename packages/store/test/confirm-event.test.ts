import { randomUUID } from 'node:crypto'
import t from 'tap'
import { type AnswerFit, checkAnswer } from '../src/verbs/event/check-answer.ts'
import { confirmEvent } from '../src/verbs/event/confirm-event.ts'
import { parkEvent } from '../src/verbs/event/park-event.ts'
import { getEvent } from '../src/verbs/operator/get-event.ts'
import { store } from './deliveries.ts'
import { Asked, seedEvent, Told } from './seed.ts'

const answerId = randomUUID()

t.test('what an answer finds, and what it does', async t => {
  const { db, pool } = await store(t)
  const cases: [Record<string, unknown>, AnswerFit, string][] = [
    [{ status: 'NEW' }, 'open', 'confirmed'],
    [{ status: 'PUBLISHED', due: false }, 'open', 'confirmed'],
    [{ status: 'PUBLISHED', due: true, count: 1 }, 'open', 'confirmed'],
    [{ status: 'PARKED', due: false, park_reason: 'UNCONFIRMED' }, 'open', 'unparked'],
    [{ status: 'CONFIRMED', due: false, confirmed_by: answerId }, 'same', 'unchanged'],
    [{ status: 'CONFIRMED', due: false, confirmed_by: randomUUID() }, 'conflict', 'unchanged'],
    [{ status: 'RESOLVED', due: false }, 'late', 'unchanged']
  ]
  for (const [columns, fit, result] of cases) {
    const causationId = await seedEvent(pool, columns)
    const answer = { causationId, answerId, source: 'deploy', answersType: Asked.type }
    t.equal(await checkAnswer(db, { ...answer, source: 'impostor' }), 'foreign')
    t.equal(await checkAnswer(db, { ...answer, answersType: 'other' }), 'other')
    t.equal(await checkAnswer(db, { ...answer, answersType: null, receipt: true }), 'other')
    t.equal(await confirmEvent(db, { ...answer, answersType: null, receipt: true }), 'unchanged')
    t.equal(await confirmEvent(db, { ...answer, source: 'impostor' }), 'unchanged')
    t.equal(await confirmEvent(db, { ...answer, answersType: 'other' }), 'unchanged')
    t.equal(await checkAnswer(db, answer), fit, JSON.stringify(columns))
    const before = await getEvent(db, causationId)
    t.equal(await confirmEvent(db, answer), result)
    const after = await getEvent(db, causationId)
    if (result === 'unchanged') t.same(after, before)
    else
      t.match(after, {
        status: 'CONFIRMED',
        confirmedBy: answerId,
        confirmedAt: Date,
        due: before?.due,
        count: before?.count,
        parkReason: null
      })
    const { rows } = await pool.query('select action, actor from steadfast.audit where event_id = $1', [causationId])
    t.same(rows, result === 'unparked' ? [{ action: 'unpark', actor: 'steadfast' }] : [])
  }
  t.equal(
    await checkAnswer(db, { causationId: randomUUID(), answerId, source: 'deploy', answersType: null }),
    'unknown'
  )
})

t.test('whoever awaits nothing is confirmed by nobody', async t => {
  const { db, pool } = await store(t)
  const causationId = await seedEvent(pool, {}, { contract: Told })
  const answer = { causationId, answerId, source: 'deploy', answersType: null }
  t.equal(await checkAnswer(db, answer), 'other')
  t.equal(await confirmEvent(db, answer), 'unchanged')
  t.notOk(await parkEvent(db, { id: causationId, reason: 'REFUSED', error: 'no' }))
})

t.test('two answers at once: one confirms', async t => {
  const { db, pool } = await store(t)
  for (let i = 0; i < 20; i++) {
    const causationId = await seedEvent(pool, { status: i % 2 ? 'PARKED' : 'PUBLISHED' })
    const results = await Promise.all(
      [1, 2, 3].map(() =>
        confirmEvent(db, { causationId, answerId: randomUUID(), source: 'deploy', answersType: null })
      )
    )
    t.equal(results.filter(r => r !== 'unchanged').length, 1)
    const { rowCount } = await pool.query('select from steadfast.audit where event_id = $1', [causationId])
    t.equal(rowCount, i % 2)
  }
})

t.test('a receipt confirms what awaits one, and what was written before that was kept', async t => {
  const { db, pool } = await store(t)
  for (const awaits_receipt of [true, null]) {
    const causationId = await seedEvent(pool, { status: 'PUBLISHED', awaits_receipt })
    const receipt = { causationId, answerId, source: 'deploy', answersType: null, receipt: true }
    t.equal(await checkAnswer(db, { ...receipt, source: 'impostor' }), 'foreign')
    t.equal(await confirmEvent(db, { ...receipt, source: 'impostor' }), 'unchanged')
    t.equal(await checkAnswer(db, receipt), 'open')
    t.equal(await confirmEvent(db, receipt), 'confirmed')
  }
})
