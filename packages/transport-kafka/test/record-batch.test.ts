import { crc32c } from '@platformatic/kafka'
import t from 'tap'
import { measure, writeRecordBatch } from '../src/platformatic/record-batch.ts'
import { maxRecordBytes } from '../src/record-size.ts'

t.test('CRC-32C has the values of RFC 3720', async t => {
  const crc = (data: Uint8Array) => crc32c(Buffer.from(data)).toString(16)
  t.equal(crc(Buffer.from('123456789')), 'e3069283')
  t.equal(crc(Buffer.alloc(32)), '8a9136aa')
  t.equal(crc(Buffer.alloc(32, 0xff)), '62a8ab43')
  t.equal(crc(Buffer.from(Array.from({ length: 32 }, (_, i) => i))), '46dd794e')
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
