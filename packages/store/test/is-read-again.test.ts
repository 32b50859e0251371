import { randomUUID } from 'node:crypto'
import t from 'tap'
import { claimReplay } from '../src/verbs/inbox/claim-replay.ts'
import { getDelivery } from '../src/verbs/inbox/get-delivery.ts'
import { isReadAgain } from '../src/verbs/inbox/is-read-again.ts'
import { startReplay } from '../src/verbs/operator/start-replay.ts'
import { stopReplay } from '../src/verbs/operator/stop-replay.ts'
import { store } from './deliveries.ts'
import { seedDelivery } from './seed.ts'

const consumer = 'deploy'

t.test('a record is read again when its place is known, whatever became of it, and nothing else is', async t => {
  const { db, pool } = await store(t)
  for (const state of ['DONE', 'RETRY', 'BLOCKED', 'HELD', 'REFUSED']) {
    const row = await getDelivery(db, consumer, await seedDelivery(pool, { state }))
    if (row === undefined) return t.fail('no row')
    t.equal(await isReadAgain(db, row, undefined), true, state)
    for (const other of [{ position: '0:9999' }, { topic: 'other' }, { source: 'other' }, { type: 'other' }])
      t.equal(await isReadAgain(db, { ...row, ...other }, undefined), false, JSON.stringify(other))
    t.equal(await isReadAgain(db, { ...row, eventId: randomUUID() }, undefined), false)
  }
})

t.test('what a replay wants is not, until the replay has had it, or is stopped', async t => {
  const { db, pool } = await store(t)
  const row = await getDelivery(db, consumer, await seedDelivery(pool))
  const refused = await getDelivery(db, consumer, await seedDelivery(pool, { state: 'REFUSED' }))
  if (row === undefined || refused === undefined) return t.fail('no row')
  const start = async () => (await startReplay(db, { id: randomUUID(), consumer, from: new Date(0), actor: 'me' })).id
  const first = await start()
  t.equal(await isReadAgain(db, row, first), false)
  t.equal(await isReadAgain(db, refused, first), true, 'only what is done is run again')
  t.equal(await claimReplay(db, { replayId: first, consumer, eventId: row.eventId }), true)
  t.equal(await isReadAgain(db, row, first), true)
  const second = await start()
  t.equal(await isReadAgain(db, row, second), false, 'each replay has it once')
  await stopReplay(db, { id: second, actor: 'me' })
  t.equal(await isReadAgain(db, row, second), true)
})
