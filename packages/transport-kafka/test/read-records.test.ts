import { gzipSync, zstdCompressSync } from 'node:zlib'
import { compressionsAlgorithms, crc32c } from '@platformatic/kafka'
import t from 'tap'
import { readRecords } from '../src/platformatic/read-records.ts'
import { measure, writeRecordBatch } from '../src/platformatic/record-batch.ts'
import { message } from './helper.ts'

const TRANSACTIONAL = 1 << 4
const CONTROL = 1 << 5
const LIMIT = 1 << 20

interface Batch {
  first: number
  producer?: number
  attributes?: number
  /** Packs the records. */
  pack?: [codec: number, pack: (data: Buffer) => Buffer]
  key?: Buffer
}

/** A record batch as a broker has it. */
function batchOf(values: readonly string[], { first, producer = -1, attributes = 0, pack, key }: Batch): Buffer {
  const entries = values.map((text, index) => ({
    index,
    key: key ?? Buffer.from('k'),
    outgoing: { ...message('t', 'k', text), headers: { a: Buffer.from('1') } }
  }))
  const measured = measure(entries)
  const whole = Buffer.alloc(measured.total)
  writeRecordBatch(whole, 0, entries, measured, 1000)
  const records = whole.subarray(61)
  const bytes = Buffer.concat([whole.subarray(0, 61), pack === undefined ? records : pack[1](records)])
  bytes.writeBigInt64BE(BigInt(first), 0)
  bytes.writeInt32BE(bytes.length - 12, 8)
  bytes.writeInt16BE(attributes | (pack?.[0] ?? 0), 21)
  bytes.writeBigInt64BE(BigInt(producer), 43)
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
  return bytes
}

/** The end of a transaction: its key has a version and a kind, 0 for an abort. */
const marker = (first: number, producer: number, kind: 0 | 1) =>
  batchOf(['end'], { first, producer, attributes: TRANSACTIONAL | CONTROL, key: Buffer.from([0, 0, 0, kind]) })

const sent = (values: string[], first: number, producer: number) =>
  batchOf(values, { first, producer, attributes: TRANSACTIONAL })

const aborted = (...of: [producer: number, first: number][]) =>
  of.map(([producer, first]) => ({ producerId: BigInt(producer), firstOffset: BigInt(first) }))

const textsOf = ({ records }: ReturnType<typeof readRecords>) => records.map(({ value }) => value?.toString())

t.test(
  'records with their offsets, times, keys and headers; from an offset on, and without what was cut off',
  async t => {
    const bytes = Buffer.concat([batchOf(['a', 'b', 'c'], { first: 5 }), batchOf(['d'], { first: 8 })])
    const read = readRecords(bytes, 6n, [], LIMIT)
    t.same(textsOf(read), ['b', 'c', 'd'])
    t.same(
      read.records.map(({ offset }) => offset),
      [6n, 7n, 8n]
    )
    t.equal(read.next, 9n)
    t.match(read.records[0], { timestamp: 1000n, key: Buffer.from('k') })
    t.same(
      read.records[0]?.headers.map(([name, value]) => `${name}=${value}`),
      ['a=1']
    )
    const cut = readRecords(bytes.subarray(0, bytes.length - 3), 6n, [], LIMIT)
    t.same([textsOf(cut), cut.next, cut.unreadable], [['b', 'c'], 8n, undefined])
  }
)

t.test('what was aborted is left out, twice by one producer too, and between others', async t => {
  const bytes = Buffer.concat([
    sent(['a1'], 0, 1),
    sent(['x1'], 1, 2),
    marker(2, 1, 0),
    sent(['b1'], 3, 1),
    marker(4, 1, 1),
    sent(['c1'], 5, 1),
    marker(6, 2, 1),
    marker(7, 1, 0),
    sent(['d1'], 8, 1),
    marker(9, 1, 1),
    batchOf(['plain'], { first: 10 })
  ])
  const read = readRecords(bytes, 0n, aborted([1, 0], [1, 5]), LIMIT)
  t.same(textsOf(read), ['x1', 'b1', 'd1', 'plain'])
  t.equal(read.next, 11n)
  t.same(textsOf(readRecords(bytes, 0n, [], LIMIT)), ['a1', 'x1', 'b1', 'c1', 'd1', 'plain'], 'without abortions')
})

t.test('a range whose end is in a later fetch is open, and one that began before is known', async t => {
  const open = readRecords(Buffer.concat([sent(['a1'], 0, 1), sent(['a2'], 1, 1)]), 0n, aborted([1, 0]), LIMIT)
  t.same([textsOf(open), open.next], [[], 2n])
  const rest = readRecords(
    Buffer.concat([sent(['a3'], 2, 1), marker(3, 1, 0), sent(['b1'], 4, 1)]),
    2n,
    aborted([1, 0]),
    LIMIT
  )
  t.same(textsOf(rest), ['b1'])
})

const codecs: [string, [number, (data: Buffer) => Buffer]][] = [
  ['gzip', [1, data => gzipSync(data)]],
  ['snappy', [2, data => Buffer.from(compressionsAlgorithms.snappy.compressSync(data))]],
  ['lz4', [3, data => Buffer.from(compressionsAlgorithms.lz4.compressSync(data))]],
  ['zstd', [4, data => zstdCompressSync(data)]]
]
for (const [name, pack] of codecs)
  t.test(`${name}: read, and bounded before it is unpacked`, async t => {
    const before = batchOf(['before'], { first: 0, pack })
    const bomb = batchOf([' '.repeat(8 << 20)], { first: 1, pack })
    const read = readRecords(Buffer.concat([before, bomb, batchOf(['behind'], { first: 2, pack })]), 0n, [], LIMIT)
    t.same([textsOf(read), read.next], [['before'], 1n])
    t.match(read.unreadable, { offset: 1n, next: 2n, reason: /larger than 1048576 when it is unpacked/ })
    t.equal(read.unreadable?.bytes.length, bomb.length)
    t.same(textsOf(readRecords(bomb, 1n, [], 16 << 20)), [' '.repeat(8 << 20)], 'with a higher bound')
  })

t.test('what is damaged, of another form, or packed in an unknown way', async t => {
  const damaged = batchOf(['a'], { first: 0 })
  damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1
  t.match(readRecords(damaged, 0n, [], LIMIT).unreadable, { reason: 'a damaged record batch', next: 1n })
  const old = batchOf(['a'], { first: 0 })
  old[16] = 1
  t.match(readRecords(old, 0n, [], LIMIT).unreadable, { reason: /format 1/ })
  const odd = batchOf(['a'], { first: 0, pack: [5, data => data] })
  t.match(readRecords(odd, 0n, [], LIMIT).unreadable, { reason: /unknown way \(5\)/ })
  const none = Buffer.alloc(100)
  none.writeInt32BE(-1, 8)
  t.throws(() => readRecords(none, 0n, [], LIMIT), { message: 'a damaged record batch' })
})
