import t from 'tap'
import { crc32c } from '../src/crc32c.ts'
import { maxRecordBytes, measure, writeRecordBatch } from '../src/record-batch.ts'

t.test('CRC-32C has the values of RFC 3720', async t => {
  const crc = (data: Uint8Array) => crc32c(data, 0, data.length).toString(16)
  t.equal(crc(Buffer.from('123456789')), 'e3069283')
  t.equal(crc(Buffer.alloc(32)), '8a9136aa')
  t.equal(crc(Buffer.alloc(32, 0xff)), '62a8ab43')
  t.equal(crc(Buffer.from(Array.from({ length: 32 }, (_, i) => i))), '46dd794e')
  t.equal(crc32c(Buffer.from('..123456789..'), 2, 11).toString(16), 'e3069283')
})

t.test('what is written is as long as was measured, and never longer than was foreseen', async t => {
  for (const size of [0, 1, 62, 63, 64, 8191, 8192, 1_100_000]) {
    const entries = Array.from({ length: size > 10_000 ? 2 : 200 }, (_, index) => ({
      index,
      key: Buffer.alloc(index % 3 === 0 ? 0 : 70),
      outgoing: {
        topic: 't',
        key: '',
        headers: { größe: Buffer.alloc(size % 9000), b: Buffer.alloc(0) },
        value: Buffer.alloc(size)
      }
    }))
    const measured = measure(entries)
    const to = Buffer.alloc(measured.total + 5)
    t.equal(writeRecordBatch(to, 5, entries, measured, Date.now()), to.length, `${size} bytes`)
    const foreseen = 61 + entries.reduce((sum, entry) => sum + maxRecordBytes(entry), 0)
    t.ok(measured.total <= foreseen)
  }
})
