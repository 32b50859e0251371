import { testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { fatesOf } from '../src/verbs/operator/fates-of.ts'
import { Answered, idFrom, seedDelivery, seedEvent } from './seed.ts'

t.test('each fate', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const absent = idFrom(0)
  const answered = await seedDelivery(pool)
  const answer = await seedEvent(pool, {}, { contract: Answered, inReplyTo: answered, source: 'deploy' })
  const accepted = await seedDelivery(pool)
  await seedEvent(pool, { type: 'steadfast.in-progress' }, { contract: Answered, inReplyTo: accepted })
  await seedEvent(pool, { causation_id: accepted })
  const unawaited = await seedDelivery(pool, { reply_to: null })
  const refused = await seedDelivery(pool, { state: 'REFUSED', error: { code: 'NO' } })
  await seedEvent(pool, { type: 'steadfast.refused' }, { contract: Answered, inReplyTo: refused })
  const held = await seedDelivery(pool, { state: 'HELD', attempts: 5 })
  const blocked = await seedDelivery(pool, { state: 'BLOCKED' })
  const retry = await seedDelivery(pool, { state: 'RETRY' })
  const elsewhere = await seedDelivery(pool, { consumer: 'other' })

  const ids = [held, absent, answered, accepted, unawaited, refused, blocked, retry, elsewhere, held.toUpperCase()]
  const fates = await fatesOf(storeOn(pool), { consumer: 'deploy', ids })
  t.same(
    fates.map(f => f.id),
    ids.map(id => id.toLowerCase()),
    'in the order asked for'
  )
  t.same(
    fates.map(f => f.fate),
    ['held', 'absent', 'done', 'at-work', 'done', 'refused', 'at-work', 'at-work', 'absent', 'held']
  )
  t.same(
    fates.map(f => f.answers.map(a => a.id)),
    [[], [], [answer], [], [], [], [], [], [], []]
  )
  t.match(fates[0], { attempts: 5, state: 'HELD', receivedAt: Date })
  t.match(fates[5], { error: { code: 'NO' } })
})
