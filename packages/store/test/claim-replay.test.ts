import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import pg from 'pg'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { claimReplay } from '../src/verbs/inbox/claim-replay.ts'
import { currentReplay } from '../src/verbs/inbox/current-replay.ts'
import { listReplayItems } from '../src/verbs/operator/list-replay-items.ts'
import { listReplays } from '../src/verbs/operator/list-replays.ts'
import { startReplay } from '../src/verbs/operator/start-replay.ts'
import { stopReplay } from '../src/verbs/operator/stop-replay.ts'
import { broken, store } from './deliveries.ts'
import { somebodyWaits } from './schema-check.ts'
import { seedDelivery } from './seed.ts'

const consumer = 'deploy'
const epoch = new Date(0)

t.test('one replay of a consumer runs at a time, the oldest, until it is stopped', async t => {
  const { db } = await store(t)
  const start = async (name: string) =>
    (await startReplay(db, { id: randomUUID(), consumer: name, from: epoch, actor: 'me' })).id
  const [first, second, other] = [await start(consumer), await start(consumer), await start('other')]
  const current = async (name: string) => (await currentReplay(db, name))?.id
  t.same([await current(consumer), await current('other'), await current('third')], [first, other, undefined])
  await stopReplay(db, { id: second, actor: 'me' })
  t.equal(await current(consumer), first)
  await stopReplay(db, { id: first, actor: 'me' })
  t.equal(await current(consumer), undefined)
})

t.test('each replay has each finished delivery once, whatever other replays there are', async t => {
  const { db, pool } = await store(t)
  const seeded = new Map<string, string>()
  for (const state of ['DONE', 'RETRY', 'BLOCKED', 'HELD', 'REFUSED'])
    seeded.set(state, await seedDelivery(pool, { state }))
  const start = async () => (await startReplay(db, { id: randomUUID(), consumer, from: epoch, actor: 'me' })).id
  const [one, two] = [await start(), await start()]
  const claims = async (eventId: string) => {
    const claim = (replayId: string) => claimReplay(db, { consumer, eventId, replayId })
    return [await claim(one), await claim(one), await claim(two), await claim(one), await claim(two)]
  }
  for (const [state, eventId] of seeded)
    t.same(await claims(eventId), state === 'DONE' ? [true, false, true, false, false] : Array(5).fill(false), state)
  await stopReplay(db, { id: two, actor: 'me' })
  const done = seeded.get('DONE') ?? ''
  t.equal(await claimReplay(db, { consumer, eventId: done, replayId: one }), false, 'stopping one begins no other anew')
})

t.test('a replay has what arrived in its time and was finished, and nothing once it is over', async t => {
  const { db, pool } = await store(t)
  const [before, within, after] = [
    await seedDelivery(pool, { received_at: '2026-01-01' }),
    await seedDelivery(pool, { received_at: '2026-01-02' }),
    await seedDelivery(pool, { received_at: '2026-01-04' })
  ]
  const stranger = await seedDelivery(pool, { consumer: 'other', received_at: '2026-01-02' })
  const request = {
    consumer,
    from: new Date('2026-01-01T12:00:00Z'),
    until: new Date('2026-01-03T00:00:00Z'),
    actor: 'me'
  }
  const replay = await startReplay(db, { ...request, id: randomUUID() })
  t.equal(replay.total, 1)
  const claim = (eventId: string, replayId = replay.id) => claimReplay(db, { consumer, eventId, replayId })
  t.same(
    [await claim(before), await claim(within), await claim(after), await claim(stranger)],
    [false, true, false, false]
  )
  const stopped = await startReplay(db, { ...request, id: randomUUID() })
  await stopReplay(db, { id: stopped.id, actor: 'me' })
  t.equal(await claim(within, stopped.id), false)
})

t.test('of two reruns at once the second waits for the first, and has its turn only when that rolls back', async t => {
  const { db, url, pool } = await store(t)
  for (const end of ['commit', 'rollback']) {
    const eventId = await seedDelivery(pool)
    const { id } = await startReplay(db, { id: randomUUID(), consumer, from: epoch, actor: 'me' })
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query('begin')
    t.equal(await claimReplay(storeOn(client), { consumer, eventId, replayId: id }), true)
    let isOver = false
    const second = claimReplay(db, { consumer, eventId, replayId: id }).finally(() => {
      isOver = true
    })
    await somebodyWaits(pool)
    t.equal(isOver, false)
    await client.query(end)
    t.equal(await second, end === 'rollback')
    const ended = once(client, 'end')
    await client.end()
    await ended
  }
})

t.test('a rerun that failed counts as failed, with its error, and is not run again', async t => {
  const { db, pool } = await store(t)
  const ids = [await seedDelivery(pool), await seedDelivery(pool), await seedDelivery(pool)].toSorted()
  const [good, bad, left] = ids as [string, string, string]
  const { id } = await startReplay(db, { id: randomUUID(), consumer, from: epoch, actor: 'me' })
  t.equal(await claimReplay(db, { consumer, eventId: good, replayId: id }), true)
  t.equal(await claimReplay(db, { consumer, eventId: bad, replayId: id, error: broken }), true)
  t.equal(await claimReplay(db, { consumer, eventId: bad, replayId: id }), false)
  const [replay] = await listReplays(db, {}, { limit: 1 })
  const { total, done, failed, missing, left: toDo } = replay ?? {}
  t.same({ total, done, failed, missing, left: toDo }, { total: 3, done: 1, failed: 1, missing: 0, left: 1 })
  const items = await listReplayItems(db, { replayId: id }, { limit: 9 })
  t.same(
    items.map(({ eventId, state, error }) => [eventId, state, error]),
    [
      [good, 'DONE', null],
      [bad, 'FAILED', broken],
      [left, 'LEFT', null]
    ]
  )
  const failures = await listReplayItems(db, { replayId: id, state: 'FAILED' }, { limit: 9 })
  t.same(
    failures.map(({ eventId }) => eventId),
    [bad]
  )
  t.same(
    (await listReplayItems(db, { replayId: id }, { limit: 9, after: bad })).map(({ eventId }) => eventId),
    [left]
  )
})
