import { matchWhole, testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { getEvent } from '../src/verbs/operator/get-event.ts'
import { listAudit } from '../src/verbs/operator/list-audit.ts'
import { resendEvent } from '../src/verbs/operator/resend-event.ts'
import { idFrom, seedEvent } from './seed.ts'

t.test('published and parked events become due, each with one audit row; others stay as they are', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const cases: [string, boolean, string][] = [
    ['NEW', true, 'unfit'],
    ['PUBLISHED', false, 'resent'],
    ['PUBLISHED', true, 'unfit'],
    ['PARKED', false, 'resent'],
    ['CONFIRMED', false, 'unfit'],
    ['RESOLVED', false, 'unfit']
  ]
  for (const [status, due, outcome] of cases) {
    const id = await seedEvent(pool, { status, due, count: 3 })
    t.equal(await resendEvent(db, { id, actor: 'ann', note: `n'"` }), outcome, `${status}, due ${due}`)
    t.match(await getEvent(db, id), { status, due: due || outcome === 'resent', count: 3 })
    const audit = await listAudit(db, { eventId: id }, { limit: 9 })
    matchWhole(
      t,
      audit,
      outcome === 'resent' ? [{ actor: 'ann', action: 'resend', note: `n'"`, details: { status, count: 3 } }] : []
    )
  }
  t.equal(await resendEvent(db, { id: idFrom(0), actor: 'ann' }), 'unknown')
})

t.test('of twenty operators at once one resends', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const id = await seedEvent(pool, { status: 'PARKED', due: false })
  const outcomes = await Promise.all(Array.from({ length: 20 }, (_, i) => resendEvent(db, { id, actor: `a${i}` })))
  t.same(outcomes.toSorted(), ['resent', ...Array(19).fill('unfit')])
  t.equal((await listAudit(db, {}, { limit: 99 })).length, 1)
})
