import { randomUUID } from 'node:crypto'
import t from 'tap'
import { countUnknown } from '../src/verbs/inbox/count-unknown.ts'
import { leaveUnknown } from '../src/verbs/inbox/leave-unknown.ts'
import { setAside } from '../src/verbs/inbox/set-aside.ts'
import { body, broken, delivery, store } from './deliveries.ts'

t.test('what waits for a process that knows it is counted by type, of each topic and key the first', async t => {
  const { db } = await store(t)
  const count = (limit = 2) => countUnknown(db, 'deploy', { limit })
  t.same(await count(), { count: 0, types: 0, most: [] })
  const leave = (type: string, key: string = randomUUID(), consumer = 'deploy') =>
    leaveUnknown(db, delivery({ type, key, consumer }), { body, patienceMs: 1000, error: broken })
  for (const type of ['b', 'a', 'c', 'b', 'd', 'b', 'a']) await leave(type)
  await leave('other', 'k', 'other')
  await leave('first', 'k')
  await leave('behind', 'k')
  const wanted = { state: 'RETRY', body, attempts: 1, dueInMs: 0, error: broken } as const
  await setAside(db, delivery({ type: 'known', key: 'l' }), wanted)
  const b = { type: 'b', count: 3 }
  const a = { type: 'a', count: 2 }
  t.same(await count(), { count: 8, types: 5, most: [b, a] })
  t.same((await count(9)).most, [b, a, ...['c', 'd', 'first'].map(type => ({ type, count: 1 }))])
})
