import fc from 'fast-check'
import t from 'tap'
import { LANES, laneOf } from '../src/index.ts'

// Frozen: stored events carry these numbers.
const VECTORS: [string, number][] = [
  ['', 5],
  ['a', 44],
  ['order-1', 45],
  ['ключ', 33]
]

/** FNV-1a as its authors state it, in integers of any size: https://datatracker.ietf.org/doc/html/rfc9923 */
function fnv1a(bytes: Uint8Array): bigint {
  let hash = 0x811c9dc5n
  for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * 0x01000193n) % (1n << 32n)
  return hash
}

t.test('the test vectors', async t => {
  t.equal(LANES, 64)
  t.equal(fnv1a(Buffer.from('foobar')), 0xbf9cf968n, 'the independent calculation is that of the published vectors')
  for (const [key, lane] of VECTORS) {
    t.equal(laneOf(key), lane, JSON.stringify(key))
    t.equal(Number(fnv1a(Buffer.from(key)) % 64n), lane)
  }
})

t.test('any key: the independent calculation', async () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), key => laneOf(key) === Number(fnv1a(Buffer.from(key)) % 64n)))
})

t.test('keys spread over the lanes', async t => {
  const sizes = new Array<number>(LANES).fill(0)
  for (let i = 0; i < 64_000; i++) {
    const lane = laneOf(`order-${i}`)
    sizes[lane] = (sizes[lane] ?? 0) + 1
  }
  t.ok(Math.min(...sizes) > 500 && Math.max(...sizes) < 1500, `${Math.min(...sizes)} to ${Math.max(...sizes)}`)
})
