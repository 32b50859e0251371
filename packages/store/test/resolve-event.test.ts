import { matchWhole, testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { getEvent } from '../src/verbs/operator/get-event.ts'
import { listAudit } from '../src/verbs/operator/list-audit.ts'
import { resolveEvent } from '../src/verbs/operator/resolve-event.ts'
import { seedEvent } from './seed.ts'

t.test('only a parked event is resolved, once', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  for (const status of ['NEW', 'PUBLISHED', 'CONFIRMED', 'RESOLVED']) {
    const id = await seedEvent(pool, { status })
    t.equal(await resolveEvent(db, { id, actor: 'ann', note: 'x' }), false, status)
    t.match(await getEvent(db, id), { status })
  }
  const id = await seedEvent(pool, { status: 'PARKED', park_reason: 'REFUSED', due: true })
  const outcomes = await Promise.all(
    ['ann', 'bob', 'cy'].map(actor => resolveEvent(db, { id, actor, note: 'by hand' }))
  )
  t.same(outcomes.toSorted(), [false, false, true])
  t.match(await getEvent(db, id), { status: 'RESOLVED', due: false })
  matchWhole(t, await listAudit(db, {}, { limit: 9 }), [
    { eventId: id, action: 'resolve', note: 'by hand', details: { reason: 'REFUSED' } }
  ])
})
