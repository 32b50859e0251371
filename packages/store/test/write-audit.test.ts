import { matchWhole, testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { listAudit } from '../src/verbs/operator/list-audit.ts'
import { writeAudit } from '../src/verbs/operator/write-audit.ts'
import { idFrom } from './seed.ts'

t.test('written, and listed newest first', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const eventId = idFrom(0)
  await writeAudit(db, { actor: 'ann', action: 'look', eventId, note: '<script>', details: { a: [1] } })
  await writeAudit(db, { actor: 'bob', action: 'leave' })
  const all = await listAudit(db, {}, { limit: 9 })
  matchWhole(t, all, [
    { actor: 'bob', eventId: null, details: null },
    { actor: 'ann', eventId, details: { a: [1] }, at: Date }
  ])
  matchWhole(t, await listAudit(db, {}, { limit: 9, after: String(all[0]?.id) }), [{ actor: 'ann' }])
  t.equal((await listAudit(db, { actor: 'ann' }, { limit: 9 })).length, 1)
  t.equal((await listAudit(db, { action: 'leave' }, { limit: 9 })).length, 1)
  t.equal((await listAudit(db, { eventId }, { limit: 9 })).length, 1)
})
