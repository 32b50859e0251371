import { matchWhole, testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { listAudit } from '../src/list-audit.ts'
import { listReplays } from '../src/list-replays.ts'
import { migrate } from '../src/migrate.ts'
import { startReplay } from '../src/start-replay.ts'
import { stopReplay } from '../src/stop-replay.ts'
import { idFrom, seedDelivery } from './seed.ts'

t.test('start, list, stop: each audited once', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const from = new Date('2026-01-01T00:00:00Z')
  const first = await startReplay(db, { id: idFrom(10), consumer: 'deploy', from, actor: 'ann', note: 'bug 7' })
  t.match(first, {
    consumer: 'deploy',
    fromTime: from,
    untilTime: Date,
    resendAnswers: false,
    requestedBy: 'ann',
    stoppedAt: null
  })
  const until = new Date('2026-01-02T00:00:00Z')
  const second = await startReplay(db, {
    id: idFrom(0),
    consumer: 'other',
    from,
    until,
    resendAnswers: true,
    actor: 'bob'
  })
  t.match(second, { untilTime: until, resendAnswers: true })
  await seedDelivery(pool, { replay_id: first.id })
  matchWhole(t, await listReplays(db, { limit: 9 }), [
    { id: second.id, done: 0 },
    { id: first.id, done: 1 }
  ])
  matchWhole(t, await listReplays(db, { limit: 9, after: second.id }), [{ id: first.id }])
  t.same((await Promise.all(['ann', 'bob'].map(actor => stopReplay(db, { id: first.id, actor })))).toSorted(), [
    false,
    true
  ])
  t.equal(await stopReplay(db, { id: idFrom(0), actor: 'ann' }), false)
  matchWhole(t, await listReplays(db, { limit: 9 }), [{ stoppedAt: null }, { stoppedAt: Date }])
  matchWhole(t, await listAudit(db, {}, { limit: 9 }), [
    { action: 'stop-replay', details: { id: first.id } },
    { action: 'replay', consumer: 'other', details: { resendAnswers: true } },
    { action: 'replay', actor: 'ann', note: 'bug 7', details: { id: first.id } }
  ])
})
