import { matchWhole, testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { getDelivery } from '../src/verbs/inbox/get-delivery.ts'
import { getEvent } from '../src/verbs/operator/get-event.ts'
import { listAudit } from '../src/verbs/operator/list-audit.ts'
import { reprocessDelivery } from '../src/verbs/operator/reprocess-delivery.ts'
import { Answered, seedDelivery, seedEvent } from './seed.ts'

t.test('held, refused and unknown ones wait for their handler again, others do not', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  for (const [state, fit] of [
    ['DONE', false],
    ['RETRY', false],
    ['BLOCKED', false],
    ['HELD', true],
    ['UNKNOWN', true],
    ['REFUSED', true]
  ] as const) {
    const eventId = await seedDelivery(pool, { state, attempts: 4, error: { message: 'bug' } })
    const refused = (consumer: string) => ({
      type: 'steadfast.refused',
      payload: JSON.stringify({ eventId, consumer })
    })
    const refusal = await seedEvent(pool, refused('deploy'), { contract: Answered, inReplyTo: eventId })
    const ofAnother = await seedEvent(pool, refused('deploy.search'), { contract: Answered, inReplyTo: eventId })
    const answer = await seedEvent(pool, {}, { contract: Answered, inReplyTo: eventId })
    const by = (actor: string) => reprocessDelivery(db, { consumer: 'deploy', eventId, actor, note: 'fixed' })
    const outcomes = await Promise.all([by('ann'), by('bob')])
    t.same(outcomes.toSorted(), fit ? [false, true] : [false, false], state)
    t.match(
      await getDelivery(db, 'deploy', eventId),
      fit ? { state: 'RETRY', attempts: 0, dueAt: Date } : { state, attempts: 4 }
    )
    t.equal((await getEvent(db, refusal))?.isAnswer, !fit, 'the stored refusal is withdrawn')
    t.equal((await getEvent(db, ofAnother))?.isAnswer, true, 'that of another consumer stands')
    t.equal((await getEvent(db, answer))?.isAnswer, true)
    const audit = await listAudit(db, { eventId }, { limit: 9 })
    matchWhole(
      t,
      audit,
      fit
        ? [
            {
              action: 'reprocess',
              consumer: 'deploy',
              note: 'fixed',
              details: { state, attempts: 4, error: { message: 'bug' } }
            }
          ]
        : []
    )
    t.equal(audit.length, fit ? 1 : 0)
  }
})

t.test('without its body it cannot run', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const eventId = await seedDelivery(pool, { state: 'HELD', body: null })
  t.equal(await reprocessDelivery(storeOn(pool), { consumer: 'deploy', eventId, actor: 'ann' }), false)
})
