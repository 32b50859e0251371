import { randomUUID } from 'node:crypto'
import { matchWhole } from '@steadfast/dev-services'
import t from 'tap'
import { activeReplays } from '../src/active-replays.ts'
import { claimReplay } from '../src/claim-replay.ts'
import { startReplay } from '../src/start-replay.ts'
import { stopReplay } from '../src/stop-replay.ts'
import { store } from './deliveries.ts'
import { seedDelivery } from './seed.ts'

t.test('active until stopped, oldest first, each consumer its own', async t => {
  const { db } = await store(t)
  const ids = [randomUUID(), randomUUID(), randomUUID()] as const
  const from = new Date(0)
  for (const id of ids.slice(0, 2)) await startReplay(db, { id, consumer: 'deploy', from, actor: 'me' })
  await startReplay(db, { id: ids[2], consumer: 'other', from, actor: 'me', resendAnswers: true })
  matchWhole(t, await activeReplays(db, 'deploy'), [
    { id: ids[0], fromTime: from, untilTime: Date, resendAnswers: false },
    { id: ids[1] }
  ])
  await stopReplay(db, { id: ids[0], actor: 'me' })
  matchWhole(t, await activeReplays(db, 'deploy'), [{ id: ids[1] }])
  matchWhole(t, await activeReplays(db, 'other'), [{ id: ids[2], resendAnswers: true }])
})

t.test('each replay has each finished delivery once', async t => {
  const { db, pool } = await store(t)
  const [one, two] = [randomUUID(), randomUUID()]
  for (const state of ['DONE', 'RETRY', 'BLOCKED', 'HELD', 'REFUSED']) {
    const eventId = await seedDelivery(pool, { state })
    const claim = (replayId: string) => claimReplay(db, { consumer: 'deploy', eventId, replayId })
    t.same(
      [await claim(one), await claim(one), await claim(two)],
      state === 'DONE' ? [true, false, true] : [false, false, false]
    )
  }
})
