import t from 'tap'
import { decodeHeaders, encodeHeaders } from '../src/headers.ts'

t.test('headers come back byte by byte, and text can be read', async t => {
  const headers = {
    ce_id: Buffer.from('0192-é-🚚'),
    nul: Buffer.from([0]),
    high: Buffer.from([0xff, 0xfe]),
    surrogate: Buffer.from([0xed, 0xa0, 0x80]),
    bom: Buffer.from([0xef, 0xbb, 0xbf, 0x61]),
    empty: Buffer.alloc(0)
  }
  t.same(decodeHeaders(encodeHeaders(headers)), headers)
  t.match(encodeHeaders(headers), '"ce_id":"0192-é-🚚"')
})
