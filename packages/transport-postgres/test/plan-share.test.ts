import t from 'tap'
import { planShare } from '../src/plan-share.ts'
import type { Lease } from '../src/sql/read-leases.ts'

const lease = (id: number, topic: string, owner: string | null): Lease => ({
  id,
  topic,
  partition: id,
  owner,
  generation: 1,
  offset: 0
})

t.test('however members come and go, each partition ends with one owner, and shares differ by one at most', async t => {
  for (const count of [1, 2, 3, 4, 7]) {
    for (const partitions of [1, 2, 4, 5, 12]) {
      const leases = Array.from({ length: partitions }, (_, i) => lease(i, 'a', i % 2 === 0 ? 'm0' : null))
      const members = Array.from({ length: count }, (_, i) => ({ id: `m${i}`, topics: ['a'] }))
      for (let round = 0; round < 2; round++) {
        for (const { id } of members) {
          const { surplus, claim } = planShare(id, members, leases)
          for (const each of leases) {
            if (surplus.includes(each.id)) each.owner = null
            if (claim.includes(each.id)) each.owner = id
          }
        }
      }
      const shares = members.map(({ id }) => leases.filter(({ owner }) => owner === id).length)
      t.ok(
        leases.every(({ owner }) => owner !== null),
        `${partitions} partitions, ${count} members: none is left`
      )
      t.ok(Math.max(...shares) - Math.min(...shares) <= 1, `${partitions} partitions, ${count} members: ${shares}`)
    }
  }
})

t.test('nothing moves that need not', async t => {
  const members = ['m0', 'm1'].map(id => ({ id, topics: ['a'] }))
  const leases = [0, 1, 2, 3].map(id => lease(id, 'a', id < 2 ? 'm1' : 'm0'))
  for (const { id } of members) t.same(planShare(id, members, leases), { surplus: [], claim: [] })
})

t.test('a partition of a topic goes to those who read it', async t => {
  const members = [
    { id: 'm0', topics: ['a'] },
    { id: 'm1', topics: ['a', 'b'] }
  ]
  const leases = [lease(0, 'b', null), lease(1, 'b', null)]
  t.same(planShare('m0', members, leases), { surplus: [], claim: [] })
  t.same(planShare('m1', members, leases), { surplus: [], claim: [0, 1] })
})

t.test('who has been removed as dead takes nothing', async t => {
  t.same(planShare('gone', [{ id: 'm0', topics: ['a'] }], [lease(0, 'a', null)]), { surplus: [], claim: [] })
})
