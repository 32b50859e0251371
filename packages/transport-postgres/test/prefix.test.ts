import t from 'tap'
import { createPrefix } from '../src/prefix.ts'

t.test('the end moves over what is done without a gap', async t => {
  const prefix = createPrefix(10)
  const [a, b, c] = [10, 11, 14].map(offset => prefix.handOut(offset))
  t.equal(prefix.out, 3)
  c?.()
  t.equal(prefix.end, 10)
  a?.()
  a?.()
  t.equal(prefix.end, 11)
  t.equal(prefix.out, 1)
  b?.()
  t.equal(prefix.end, 15, 'an offset that retention took is no gap')
  t.equal(prefix.out, 0)
})

t.test('any order of many', async t => {
  const prefix = createPrefix(0)
  const waiting = new Map<number, () => void>()
  for (let offset = 0; offset < 5000; offset++) waiting.set(offset, prefix.handOut(offset))
  const order = [...waiting.keys()].sort((a, b) => ((a * 7919) % 5000) - ((b * 7919) % 5000))
  for (const [i, offset] of order.entries()) {
    waiting.get(offset)?.()
    waiting.delete(offset)
    const least = waiting.keys().next().value ?? 5000
    if (i % 100 === 0 || i > 4990) t.equal(prefix.end, least)
  }
})
