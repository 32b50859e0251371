import t from 'tap'
import { measure } from '../src/platformatic/record-batch.ts'
import { splitBatch } from '../src/split-batch.ts'
import { message } from './helper.ts'

const info = { partitions: 3, leaders: [1, 2, 1], batchBytes: 1000, maxMessageBytes: 1000 }

t.test('every message stands once, in order, in a chunk that fits; a message too large stands alone', async t => {
  const batch = Array.from({ length: 200 }, (_, i) => message('t', `key-${i % 20}`, 'x'.repeat(i === 77 ? 5000 : i)))
  const lanes = splitBatch(batch, topic => (topic === 't' ? info : undefined))
  for (const { partition, leader } of lanes) t.equal(leader, info.leaders[partition])
  const indexes = lanes.map(({ chunks }) => chunks.flat().map(({ index }) => index))
  t.same(
    indexes.flat().sort((a, b) => a - b),
    batch.map((_, i) => i)
  )
  for (const lane of indexes)
    t.same(
      lane,
      lane.toSorted((a, b) => a - b)
    )
  const keys = lanes.map(({ chunks }) => new Set(chunks.flat().map(({ outgoing }) => outgoing.key)))
  t.equal(
    keys.reduce((sum, { size }) => sum + size, 0),
    20,
    'a key has one partition'
  )
  for (const chunk of lanes.flatMap(({ chunks }) => chunks)) {
    if (chunk.some(({ index }) => index === 77)) t.equal(chunk.length, 1)
    else t.ok(measure(chunk).total <= info.batchBytes)
  }
})

t.test('messages of a topic that is not known are left out', async t => {
  t.same(
    splitBatch([message('other', 'k', 'v')], () => undefined),
    []
  )
})
