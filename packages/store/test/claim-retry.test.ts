import t from 'tap'
import { storeOn } from '../src/db.ts'
import { claimRetry } from '../src/verbs/inbox/claim-retry.ts'
import { delivery, store } from './deliveries.ts'
import { seedDelivery } from './seed.ts'

t.test('two processes: one has it, the other is answered at once; a rollback gives it back', async t => {
  const { pool } = await store(t)
  const eventId = await seedDelivery(pool, { state: 'RETRY', due_at: new Date(0) })
  const [first, second] = [await pool.connect(), await pool.connect()]
  t.teardown(() => [first, second].map(c => c.release(true)))
  const claim = { consumer: 'deploy', eventId, lockTimeoutMs: 50 }
  await first.query('begin')
  t.ok(await claimRetry(storeOn(first), claim))
  t.notOk(await claimRetry(storeOn(second), claim))
  await first.query('rollback')
  t.ok(await claimRetry(storeOn(second), claim))
  t.notOk(await claimRetry(storeOn(first), { ...claim, eventId: delivery().eventId }))
})

t.test('the limits hold for the rest of the transaction', async t => {
  const { pool } = await store(t)
  const eventId = await seedDelivery(pool, { state: 'BLOCKED' })
  const client = await pool.connect()
  t.teardown(() => client.release(true))
  await client.query('begin')
  await claimRetry(storeOn(client), { consumer: 'deploy', eventId, lockTimeoutMs: 1234, timeoutMs: 20_000 })
  t.same((await client.query('show lock_timeout')).rows, [{ lock_timeout: '1234ms' }])
  t.same((await client.query('show statement_timeout')).rows, [{ statement_timeout: '20s' }])
  t.same((await client.query('show idle_in_transaction_session_timeout')).rows, [
    { idle_in_transaction_session_timeout: '25s' }
  ])
  await client.query('rollback')
  t.same((await client.query('show lock_timeout')).rows, [{ lock_timeout: '0' }])
})

t.test('the first of its topic and key may run, whatever stands in other topics', async t => {
  const { pool, db } = await store(t)
  const claim = (eventId: string) => claimRetry(db, { consumer: 'deploy', eventId, lockTimeoutMs: 50 })
  for (const state of ['RETRY', 'BLOCKED', 'UNKNOWN', 'HELD']) {
    await pool.query('delete from steadfast.inbox')
    await seedDelivery(pool, { state })
    const behind = await seedDelivery(pool, { state: 'BLOCKED' })
    const elsewhere = await seedDelivery(pool, { state: 'BLOCKED', topic: 'told' })
    t.notOk(await claim(behind), `behind ${state}`)
    t.ok(await claim(elsewhere), `the same key of another topic, beside ${state}`)
  }
})
