import { testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { listAudit } from '../src/verbs/operator/list-audit.ts'
import { listReplays } from '../src/verbs/operator/list-replays.ts'
import { startReplay } from '../src/verbs/operator/start-replay.ts'
import { stopReplay } from '../src/verbs/operator/stop-replay.ts'
import { idFrom } from './seed.ts'

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
    answers: 'none',
    state: 'waiting',
    total: 0,
    requestedBy: 'ann',
    stoppedAt: null,
    endedAt: null
  })
  const until = new Date('2026-01-02T00:00:00Z')
  const second = await startReplay(db, {
    id: idFrom(0),
    consumer: 'other',
    from,
    until,
    answers: 'corrected',
    actor: 'bob'
  })
  t.match(second, { untilTime: until, answers: 'corrected' })
  t.same(
    (await listReplays(db, {}, { limit: 9 })).map(({ id }) => id),
    [second.id, first.id]
  )
  t.same(
    (await listReplays(db, {}, { limit: 9, after: second.id })).map(({ id }) => id),
    [first.id]
  )
  t.same(
    (await listReplays(db, { id: second.id }, { limit: 9 })).map(({ id }) => id),
    [second.id]
  )
  t.same((await Promise.all(['ann', 'bob'].map(actor => stopReplay(db, { id: first.id, actor })))).toSorted(), [
    false,
    true
  ])
  t.equal(await stopReplay(db, { id: idFrom(0), actor: 'ann' }), false)
  t.same(
    (await listReplays(db, {}, { limit: 9 })).map(({ state, stoppedAt }) => [state, stoppedAt !== null]),
    [
      ['waiting', false],
      ['stopped', true]
    ]
  )
  const audit = await listAudit(db, {}, { limit: 9 })
  t.match(audit[0], { action: 'stop-replay', details: { id: first.id } })
  t.match(audit[1], { action: 'replay', consumer: 'other', details: { answers: 'corrected', total: 0 } })
  t.match(audit[2], { action: 'replay', actor: 'ann', note: 'bug 7', details: { id: first.id } })
  t.equal(audit.length, 3)
})
