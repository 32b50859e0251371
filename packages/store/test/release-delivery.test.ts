import { matchWhole, testDatabase, until } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { claimRetry } from '../src/verbs/inbox/claim-retry.ts'
import { findKnown } from '../src/verbs/inbox/find-known.ts'
import { getDelivery } from '../src/verbs/inbox/get-delivery.ts'
import { listAudit } from '../src/verbs/operator/list-audit.ts'
import { releaseDelivery } from '../src/verbs/operator/release-delivery.ts'
import { delivery } from './deliveries.ts'
import { seedDelivery } from './seed.ts'

t.test('only a delivery that is held or that nobody knows is released, once', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const error = { status: 422, code: 'SKIPPED', message: `it's "wrong"` }
  for (const state of ['DONE', 'RETRY', 'BLOCKED', 'REFUSED']) {
    const eventId = await seedDelivery(pool, { state })
    t.equal(
      await releaseDelivery(db, { consumer: 'deploy', eventId, actor: 'ann', note: 'x', error }),
      undefined,
      state
    )
  }
  for (const state of ['HELD', 'UNKNOWN']) {
    const eventId = await seedDelivery(pool, { state, attempts: 7, key: 'k7', correlation_id: 'c', due_at: new Date() })
    const outcomes = await Promise.all(
      ['ann', 'bob'].map(actor =>
        releaseDelivery(db, { consumer: 'deploy', eventId, actor, note: error.message, error })
      )
    )
    matchWhole(
      t,
      outcomes.filter(o => o !== undefined),
      [{ eventId, source: 'market', type: 'market.asked', key: 'k7', replyTo: 'market.signals', correlationId: 'c' }]
    )
    t.equal(outcomes.filter(o => o === undefined).length, 1)
    t.match(await getDelivery(db, 'deploy', eventId), { state: 'REFUSED', outcome: 422, error, dueAt: null })
    const audit = await listAudit(db, { eventId }, { limit: 9 })
    matchWhole(t, audit, [{ action: 'release', eventId, details: { state, attempts: 7 } }])
    t.equal(audit.length, 1)
  }
})

t.test('what nobody has vouched for takes no id away when it is released, nor does it under another code', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const error = { status: 422, code: 'SKIPPED', message: 'a note' }
  for (const code of ['SF_INBOX_UNKNOWN_TYPE', 'SF_INBOX_NEWER_VERSION']) {
    const eventId = await seedDelivery(pool, {
      state: 'UNKNOWN',
      error: { status: 404, code, message: 'type', stack: 's' }
    })
    t.ok(await releaseDelivery(db, { consumer: 'deploy', eventId, actor: 'ann', error }))
    const row = await getDelivery(db, 'deploy', eventId)
    t.same(row?.error, { status: 422, code, message: 'a note' })
    t.equal((await findKnown(db, delivery({ eventId, type: 'market.other' }))).fit, 'other')
  }
  const eventId = await seedDelivery(pool, { state: 'UNKNOWN', error: { code: 'BOOM', message: 'of a handler' } })
  t.ok(await releaseDelivery(db, { consumer: 'deploy', eventId, actor: 'ann', error }))
  t.same((await getDelivery(db, 'deploy', eventId))?.error, error)
})

t.test('a release meets a handler that has the delivery: it waits, and skips only what is still unknown', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  for (const end of ['commit', 'rollback']) {
    const eventId = await seedDelivery(pool, { state: 'UNKNOWN' })
    const handler = await pool.connect()
    await handler.query('begin')
    const claim = { consumer: 'deploy', eventId, lockTimeoutMs: 1000 }
    t.ok(await claimRetry(storeOn(handler), claim))
    const error = { status: 422, code: 'SKIPPED', message: 'a note' }
    const released = releaseDelivery(db, { consumer: 'deploy', eventId, actor: 'ann', error })
    await until(
      async () => (await pool.query(`select from pg_stat_activity where wait_event_type = 'Lock'`)).rowCount === 1,
      { what: 'the release waits' }
    )
    await handler.query(end)
    handler.release()
    t.equal((await released) !== undefined, end === 'rollback', end)
    t.equal((await getDelivery(db, 'deploy', eventId))?.state, end === 'rollback' ? 'REFUSED' : 'DONE')
    t.equal((await listAudit(db, { eventId }, { limit: 9 })).length, end === 'rollback' ? 1 : 0)
  }
})
