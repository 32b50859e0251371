import { matchWhole, testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { getDelivery } from '../src/get-delivery.ts'
import { listAudit } from '../src/list-audit.ts'
import { migrate } from '../src/migrate.ts'
import { releaseHeld } from '../src/release-held.ts'
import { seedDelivery } from './seed.ts'

t.test('only a held delivery is released, once', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const error = { status: 422, code: 'SKIPPED', message: `it's "wrong"` }
  for (const state of ['DONE', 'RETRY', 'BLOCKED', 'REFUSED']) {
    const eventId = await seedDelivery(pool, { state })
    t.equal(await releaseHeld(db, { consumer: 'deploy', eventId, actor: 'ann', note: 'x', error }), undefined, state)
  }
  const eventId = await seedDelivery(pool, { state: 'HELD', attempts: 7, key: 'k7', correlation_id: 'c' })
  const outcomes = await Promise.all(
    ['ann', 'bob'].map(actor => releaseHeld(db, { consumer: 'deploy', eventId, actor, note: error.message, error }))
  )
  matchWhole(
    t,
    outcomes.filter(o => o !== undefined),
    [{ eventId, source: 'market', type: 'market.asked', key: 'k7', replyTo: 'market.signals', correlationId: 'c' }]
  )
  t.equal(outcomes.filter(o => o === undefined).length, 1)
  t.match(await getDelivery(db, 'deploy', eventId), { state: 'REFUSED', outcome: 422, error, dueAt: null })
  const audit = await listAudit(db, {}, { limit: 9 })
  matchWhole(t, audit, [{ action: 'release', eventId, details: { attempts: 7 } }])
  t.equal(audit.length, 1)
})
