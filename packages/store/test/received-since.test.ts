import { matchWhole, testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { findUnknown } from '../src/verbs/inbox/find-unknown.ts'
import { receivedSince } from '../src/verbs/inbox/received-since.ts'
import { idFrom, seedDelivery, seedEvent } from './seed.ts'

t.test('what came from one source, by id, in pages', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  await seedDelivery(pool, { event_id: idFrom(90_000) })
  const wanted: string[] = []
  for (const agoMs of [30_000, 10_000, 20_000])
    wanted.push(await seedDelivery(pool, { event_id: idFrom(agoMs), state: 'HELD' }))
  await seedDelivery(pool, { source: 'other' })
  await seedDelivery(pool, { consumer: 'other' })
  const range = { consumer: 'deploy', source: 'market', since: new Date(Date.now() - 60_000) }
  const first = await receivedSince(db, range, { limit: 2 })
  matchWhole(t, first, [{ type: 'market.asked', key: 'k', state: 'HELD', receivedAt: Date }, {}])
  const rest = await receivedSince(db, range, { limit: 2, after: first.at(-1)?.id })
  t.same(
    [...first, ...rest].map(r => r.id),
    wanted.toSorted()
  )
})

t.test('which ids are of no event here', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const [known, unknown] = [await seedEvent(pool), idFrom(0)]
  t.same(await findUnknown(storeOn(pool), [known, unknown]), [unknown])
  t.same(await findUnknown(storeOn(pool), []), [])
})
