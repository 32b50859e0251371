import t from 'tap'
import { createContiguousPrefix } from '../src/contiguous-prefix.ts'

t.test('the offset is the end of what is done without a gap', async t => {
  const prefix = createContiguousPrefix()
  t.equal(prefix.uncommitted(), undefined)
  // Offsets may have gaps: compaction, markers of transactions.
  const [a, b, c, d] = [11n, 12n, 15n, 16n].map(next => prefix.add(next))
  if (!a || !b || !c || !d) throw new Error('four places')
  prefix.done(c)
  t.equal(prefix.uncommitted(), undefined)
  prefix.done(a)
  t.equal(prefix.uncommitted(), 11n)
  prefix.committed(11n)
  t.equal(prefix.uncommitted(), undefined)
  prefix.done(b)
  t.equal(prefix.uncommitted(), 15n)
  prefix.done(d)
  t.equal(prefix.uncommitted(), 16n)
})

t.test('many places in random order end at the last', async t => {
  const prefix = createContiguousPrefix()
  const total = 10_000
  const places = Array.from({ length: total }, (_, i) => prefix.add(BigInt(i + 1)))
  const order = places.map(place => ({ place, at: Math.random() })).sort((x, y) => x.at - y.at)
  const isDone = new Set<unknown>()
  for (const { place } of order) {
    prefix.done(place)
    isDone.add(place)
    const end = Number(prefix.uncommitted() ?? 0n)
    if (end > 0 && !isDone.has(places[end - 1])) t.fail(`${end} includes an open place`)
  }
  t.equal(prefix.uncommitted(), BigInt(total))
})
