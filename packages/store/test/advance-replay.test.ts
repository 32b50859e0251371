import { randomUUID } from 'node:crypto'
import pg from 'pg'
import t from 'tap'
import { type Db, storeOn } from '../src/db.ts'
import { advanceReplay } from '../src/verbs/inbox/advance-replay.ts'
import { claimReplay } from '../src/verbs/inbox/claim-replay.ts'
import { currentReplay } from '../src/verbs/inbox/current-replay.ts'
import { listReplays } from '../src/verbs/operator/list-replays.ts'
import { startReplay } from '../src/verbs/operator/start-replay.ts'
import { stopReplay } from '../src/verbs/operator/stop-replay.ts'
import { store } from './deliveries.ts'
import { somebodyWaits } from './schema-check.ts'
import { seedDelivery } from './seed.ts'

const consumer = 'deploy'
const from = new Date(0)

t.test('a replay goes from pass to pass and ends, with a count of what the log did not bring', async t => {
  const { db, pool } = await store(t)
  const eventId = await seedDelivery(pool)
  await seedDelivery(pool)
  const { id } = await startReplay(db, { id: randomUUID(), consumer, from, actor: 'me' })
  const advance = (pass: number, inMs: number, end = 'end') =>
    advanceReplay(db, { id, pass, passes: 2, end, settleMs: 10_000 }, new Date(Date.now() + inMs))
  const state = async () => (await listReplays(db, {}, { limit: 1 }))[0]
  t.equal((await state())?.state, 'waiting')
  t.same(await advance(0, 0, 'first end'), { outcome: 'pass' })
  t.same(await advance(0, 0), { outcome: 'waits' }, 'somebody else was faster')
  t.match(await currentReplay(db, consumer), { id, pass: 1, passEnd: 'first end' })
  t.equal((await state())?.state, 'running')
  t.equal(await claimReplay(db, { consumer, eventId, replayId: id }), true)
  t.same(await advance(1, 5_000), { outcome: 'waits' }, 'other processes may not have heard of it')
  t.same(await advance(1, 11_000, 'second end'), { outcome: 'pass' })
  t.match(await currentReplay(db, consumer), { pass: 2, passEnd: 'second end' })
  t.same(await advance(2, 15_000), { outcome: 'waits' })
  t.same(await advance(2, 30_000), { outcome: 'ended', missing: 1 })
  t.match(await state(), { state: 'ended', total: 2, done: 1, failed: 0, missing: 1, left: 0, endedAt: Date })
  t.equal(await currentReplay(db, consumer), undefined)
  t.equal(await stopReplay(db, { id, actor: 'me' }), false, 'it is over')
})

t.test('a replay of which nothing is left ends at once, and one that finds more than was counted does not', async t => {
  const { db, pool } = await store(t)
  const counted = await seedDelivery(pool, { state: 'DONE' })
  const { id } = await startReplay(db, { id: randomUUID(), consumer, from, actor: 'me' })
  // Its handler's transaction was open while the replay counted.
  const late = await seedDelivery(pool, { received_at: '2026-01-01' })
  const advance = (pass: number) => advanceReplay(db, { id, pass, passes: 2, end: '', settleMs: 10_000 })
  await advance(0)
  await claimReplay(db, { consumer, eventId: late, replayId: id })
  t.same(await advance(1), { outcome: 'waits' })
  await claimReplay(db, { consumer, eventId: counted, replayId: id })
  t.same(await advance(1), { outcome: 'ended', missing: 0 })
})

t.test('of two processes that take a replay on at once, one does', async t => {
  const { db, pool, url } = await store(t)
  await seedDelivery(pool)
  const { id } = await startReplay(db, { id: randomUUID(), consumer, from, actor: 'me' })
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('begin')
  const advance = (db: Db) => advanceReplay(db, { id, pass: 0, passes: 9, end: 'end', settleMs: 0 })
  t.same(await advance(storeOn(client)), { outcome: 'pass' })
  const second = advance(db)
  await somebodyWaits(pool)
  await client.query('commit')
  t.same(await second, { outcome: 'waits' })
  t.match(await currentReplay(db, consumer), { pass: 1 })
  await client.end()
})

t.test('where the log cannot be rewound, or nothing is to be run, it ends at once', async t => {
  const { db, pool } = await store(t)
  const empty = await startReplay(db, { id: randomUUID(), consumer, from, actor: 'me' })
  await advanceReplay(db, { id: empty.id, pass: 0, passes: 2, end: '', settleMs: 1 })
  t.same(await advanceReplay(db, { id: empty.id, pass: 1, passes: 2, end: '', settleMs: 60_000 }), {
    outcome: 'ended',
    missing: 0
  })
  await seedDelivery(pool)
  const { id } = await startReplay(db, { id: randomUUID(), consumer, from, actor: 'me' })
  t.same(await advanceReplay(db, { id, pass: 0, passes: 0, end: '', settleMs: 60_000 }), {
    outcome: 'ended',
    missing: 1
  })
})

t.test(
  'the first place in the log is known where all deliveries know theirs, whatever the driver makes of times',
  async t => {
    const { db, pool } = await store(t)
    await seedDelivery(pool, { logged_at: '2026-01-02T03:04:05.678Z' })
    await seedDelivery(pool, { logged_at: '2026-01-03' })
    await startReplay(db, { id: randomUUID(), consumer, from, actor: 'me' })
    t.same((await currentReplay(db, consumer))?.logFrom, new Date('2026-01-02T03:04:05.678Z'))
    await seedDelivery(pool, { consumer: 'old', logged_at: null })
    await seedDelivery(pool, { consumer: 'old', logged_at: '2026-01-03' })
    await startReplay(db, { id: randomUUID(), consumer: 'old', from, actor: 'me' })
    t.equal((await currentReplay(db, 'old'))?.logFrom, null)
  }
)
