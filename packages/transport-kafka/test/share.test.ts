import t from 'tap'
import { dealPartitions, type Reader } from '../src/share.ts'

const reader = (id: string, partitions: Record<string, number>): Reader => ({
  id,
  topics: Object.keys(partitions),
  partitions
})
const deal = (...members: Reader[]) =>
  Object.fromEntries([...dealPartitions(members)].map(([id, share]) => [id, { ...share }]))

t.test('each partition goes to a member that reads its topic', async t => {
  const worker = reader('w', { work: 6, signals: 3 })
  const web = reader('b', { signals: 3 })
  const expected = { w: { work: [0, 1, 2, 3, 4, 5] }, b: { signals: [0, 1, 2] } }
  const shares = deal(worker, web)
  t.same(shares.w?.work, expected.w.work)
  t.same([...(shares.w?.signals ?? []), ...(shares.b?.signals ?? [])].sort(), [0, 1, 2])
  t.notOk(shares.b?.work)
  t.same(deal(web, worker), shares, 'in whatever order they are listed')
  t.same(deal(web), { b: { signals: [0, 1, 2] } })
})

t.test('shares are even, also of topics with one partition', async t => {
  const topics = { a: 1, b: 1, c: 1, d: 5 }
  const shares = deal(reader('1', topics), reader('2', topics))
  const sizes = Object.values(shares).map(share => Object.values(share).flat().length)
  t.same(sizes, [4, 4])
})

t.test('of what members know of a topic the most counts: one may not have heard of new partitions', async t => {
  const shares = deal(reader('1', { a: 2 }), reader('2', { a: 4 }))
  t.same(
    Object.values(shares)
      .flatMap(share => share.a ?? [])
      .sort(),
    [0, 1, 2, 3]
  )
  t.same(deal(reader('1', {})), { 1: {} })
})
