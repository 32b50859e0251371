import { randomBytes } from 'node:crypto'
import kafkajs from 'kafkajs'
import t from 'tap'
import { murmur2, partitionOf } from '../src/murmur2.ts'

t.test('murmur2 has the values of the Java client', async t => {
  // From org.apache.kafka.common.utils.UtilsTest.
  const known: [string, number][] = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107]
  ]
  for (const [text, hash] of known) t.equal(murmur2(Buffer.from(text)), hash, text)
})

t.test('keys go where kafkajs and the Java client put them', async t => {
  const choose = kafkajs.Partitioners.DefaultPartitioner()
  for (let i = 0; i < 2000; i++) {
    const key = randomBytes(i % 40)
    const partitions = 1 + (i % 37)
    const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({ partitionId, leader: 1 }))
    const theirs = choose({ topic: 't', partitionMetadata: partitionMetadata as never, message: { key, value: null } })
    if (theirs !== partitionOf(key, partitions)) t.fail(`${key.toString('hex')} of ${partitions}`)
  }
  t.pass('2000 random keys')
})
