import { matchWhole, testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { resendEvent } from '../src/verbs/operator/resend-event.ts'
import { storyOf } from '../src/verbs/operator/story-of.ts'
import { storyOfDelivery } from '../src/verbs/operator/story-of-delivery.ts'
import { Answered, idFrom, seedDelivery, seedEvent } from './seed.ts'

t.test('row, answers, causes, what it caused, deeds', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const root = await seedEvent(pool)
  // another service reacted to root, and what it said led to our event
  const arrived = await seedDelivery(pool, {
    consumer: 'market',
    causation_id: root,
    source: 'billing',
    type: 'billing.paid'
  })
  const answer = idFrom(0)
  const id = await seedEvent(pool, {
    causation_id: arrived,
    status: 'PUBLISHED',
    due: false,
    count: 2,
    confirmed_by: answer,
    payload: '{"n": 12345678901234567890, "a":1}'
  })
  await seedDelivery(pool, {
    consumer: 'market',
    event_id: answer,
    causation_id: id,
    source: 'deploy',
    type: 'deploy.answered'
  })
  const second = await seedDelivery(pool, { consumer: 'market', causation_id: id, state: 'REFUSED', source: 'deploy' })
  await seedDelivery(pool, { consumer: 'zebra', causation_id: root })
  const led = await seedEvent(pool, { causation_id: id })
  await resendEvent(db, { id, actor: 'ann' })

  const story = await storyOf(db, id)
  t.equal(story?.event.payload, '{"n": 12345678901234567890, "a":1}', 'the exact text')
  t.match(story?.event, { count: 2, due: true, status: 'PUBLISHED', seq: /^\d+$/, createdAt: Date })
  t.same(
    story?.answers.map(a => a.eventId),
    [answer, second]
  )
  matchWhole(t, story?.causes, [
    { id: arrived, from: 'inbox', type: 'billing.paid', status: 'DONE' },
    { id: root, from: 'event', type: 'market.asked', status: 'NEW' }
  ])
  t.equal(story?.causes.length, 2)
  t.same(
    story?.caused.map(e => e.id),
    [led]
  )
  matchWhole(t, story?.audit, [{ actor: 'ann', action: 'resend' }])
  t.equal(await storyOf(db, idFrom(0)), undefined)
  t.same((await storyOf(db, root))?.causes, [])
})

t.test('a chain of causes that bites its tail ends', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const id = idFrom(0)
  await seedEvent(pool, { id, causation_id: id })
  t.ok(((await storyOf(storeOn(pool), id))?.causes.length ?? 99) <= 50)
})

t.test('a delivery with its body and answers', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const id = await seedDelivery(pool, { state: 'HELD', error: { message: '<img src=x onerror=alert(1)>' } })
  const answer = await seedEvent(pool, {}, { contract: Answered, inReplyTo: id })
  const story = await storyOfDelivery(storeOn(pool), 'deploy', id)
  t.equal(story?.delivery.body?.toString(), '{"key":"k"}')
  matchWhole(t, story, {
    delivery: { state: 'HELD', error: { message: /onerror/ } },
    caused: [{ id: answer, isAnswer: true }],
    audit: []
  })
  t.equal(await storyOfDelivery(storeOn(pool), 'market', id), undefined, 'of this consumer only')
})
