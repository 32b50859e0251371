import { randomUUID } from 'node:crypto'
import { buildEvent, type EventContract } from '@steadfast/events'
import type pg from 'pg'
import t from 'tap'
import type { Db } from '../src/db.ts'
import { checkAnswer } from '../src/verbs/event/check-answer.ts'
import { supersedeAnswer } from '../src/verbs/event/supersede-answer.ts'
import { writeEvents } from '../src/verbs/event/write-events.ts'
import { claimReplay } from '../src/verbs/inbox/claim-replay.ts'
import type { ReplayAnswers } from '../src/verbs/inbox/current-replay.ts'
import { startReplay } from '../src/verbs/operator/start-replay.ts'
import { store } from './deliveries.ts'
import { Answered, idFrom, seedDelivery, seedEvent } from './seed.ts'

/** What a worker sends later, in a transaction of its own. */
async function answerLate(db: Db, inReplyTo: string): Promise<string> {
  const event = buildEvent(Answered as unknown as EventContract, { key: 'k' }, { source: 'deploy' }, { inReplyTo })
  await writeEvents(db, [event])
  return event.id
}

const links = async (pool: pg.Pool) =>
  (await pool.query('select id, supersedes, superseded_by as by from steadfast.event order by seq')).rows
const audit = async (pool: pg.Pool) =>
  (await pool.query(`select event_id, details from steadfast.audit where action = 'supersede-answer' order by id`)).rows

async function rerun(db: Db, eventId: string, answers: ReplayAnswers): Promise<void> {
  const { id } = await startReplay(db, {
    id: randomUUID(),
    consumer: 'deploy',
    from: new Date(0),
    answers,
    actor: 'me'
  })
  t.equal(await claimReplay(db, { consumer: 'deploy', eventId, replayId: id }), true)
}

t.test('a late answer to a request that was rerun supersedes the stored one; a second one does not', async t => {
  const { db, pool } = await store(t)
  const eventId = await seedDelivery(pool)
  const first = await answerLate(db, eventId)
  await rerun(db, eventId, 'corrected')
  const second = await answerLate(db, eventId)
  t.same(await links(pool), [
    { id: first, supersedes: null, by: second },
    { id: second, supersedes: first, by: null }
  ])
  t.same(await audit(pool), [{ event_id: second, details: { supersedes: first, inReplyTo: eventId } }])
  const third = await answerLate(db, eventId)
  t.same((await links(pool))[2], { id: third, supersedes: null, by: null }, 'one correction for each rerun')
  await rerun(db, eventId, 'corrected')
  const fourth = await answerLate(db, eventId)
  t.same((await links(pool))[3], { id: fourth, supersedes: third, by: null })
})

for (const answers of ['none', 'stored'] as const) {
  t.test(`a late answer to a request that was rerun is held back, and keeps its id (${answers})`, async t => {
    const { db, pool } = await store(t)
    const eventId = await seedDelivery(pool)
    const first = await answerLate(db, eventId)
    await rerun(db, eventId, answers)
    t.equal(await answerLate(db, eventId), first)
    t.same(await links(pool), [{ id: first, supersedes: null, by: null }])
    t.same(await audit(pool), [])
  })
}

t.test('a late answer to a request that was never rerun, or never answered, is one more event', async t => {
  const { db, pool } = await store(t)
  const [plain, rerunFirst] = [await seedDelivery(pool), await seedDelivery(pool)]
  const ids = [await answerLate(db, plain), await answerLate(db, plain)]
  await rerun(db, rerunFirst, 'none')
  ids.push(await answerLate(db, rerunFirst))
  t.same(
    await links(pool),
    ids.map(id => ({ id, supersedes: null, by: null }))
  )
})

t.test('at the asker an answer may take the place of the one that confirms, and of no other', async t => {
  const { db, pool } = await store(t)
  const [old, next, other] = [idFrom(3), idFrom(2), idFrom(1)]
  const confirmed = { status: 'CONFIRMED', due: false, confirmed_by: old, confirmed_at: new Date() }
  const causationId = await seedEvent(pool, confirmed)
  const answer = { causationId, answerId: next, source: 'deploy', answersType: 'market.asked' }
  const fit = (part: object) => checkAnswer(db, { ...answer, ...part })
  t.equal(await fit({}), 'conflict')
  t.equal(await fit({ supersedes: old }), 'supersedes')
  t.equal(await fit({ supersedes: other }), 'conflict', 'it names another one')
  t.equal(await fit({ supersedes: old, source: 'stranger' }), 'conflict', 'it comes from another source')
  for (const part of [{}, { supersedes: other }, { supersedes: old, source: 'stranger' }])
    t.equal(await supersedeAnswer(db, { ...answer, ...part }), false)
  t.same(await audit(pool), [])
  t.equal(await supersedeAnswer(db, { ...answer, supersedes: old }), true)
  t.equal(await supersedeAnswer(db, { ...answer, supersedes: old }), false)
  const { rows } = await pool.query('select status, confirmed_by from steadfast.event')
  t.same(rows, [{ status: 'CONFIRMED', confirmed_by: next }])
  t.same(await audit(pool), [{ event_id: causationId, details: { answerId: next, supersedes: old } }])
  t.equal(await fit({ supersedes: old }), 'same')
  await seedDelivery(pool, { consumer: 'market', event_id: next, source: 'deploy', envelope: { supersedes: old } })
  t.equal(await fit({ answerId: old }), 'same', 'the superseded one comes behind it')
})
