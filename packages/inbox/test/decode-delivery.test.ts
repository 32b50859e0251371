import type { Delivery } from '@steadfast/events'
import fc from 'fast-check'
import fastify from 'fastify'
import t from 'tap'
import { decodeData, decodeDelivery, jsonParser } from '../src/decode-delivery.ts'

const parse = jsonParser(fastify())
const decode = (raw: Buffer) => decodeData(parse, raw)
const code = 'SF_INBOX_UNDECODABLE'

t.test('data are JSON in UTF-8, or they are refused', async t => {
  t.same(decode(Buffer.from('{"a":[1,"ä"]}')), { a: [1, 'ä'] })
  t.equal(decode(Buffer.from('null')), null)
  t.equal(decode(Buffer.alloc(0)), null, 'no data')
  for (const raw of ['{', '01', '{"__proto__":{}}', '[{"constructor":{"prototype":{}}}]', '['.repeat(100_000)])
    t.throws(() => decode(Buffer.from(raw)), { code }, raw.slice(0, 50))
  for (const hex of ['22ff22', '22c0af22', '22eda08022', '22f490808022', '22e282', '2200'])
    t.throws(() => decode(Buffer.from(hex, 'hex')), { code }, hex)
  const deep = (value: string) => Buffer.from(`${'['.repeat(100_000)}${value}${']'.repeat(100_000)}`)
  t.ok(decode(deep('1')), 'no stack overflows')
  t.throws(() => decode(deep('12345678901234567890')), { code })
})

const fits = (error: unknown, ...codes: string[]) =>
  error === undefined || codes.includes(String((error as { code?: string }).code))
function failureOf(raw: Buffer): unknown {
  try {
    decode(raw)
    return undefined
  } catch (error) {
    return error
  }
}

t.test('any bytes and headers: data, or a coded refusal with a row that can be stored', async t => {
  const unit = fc.nat(0xffff).map(code => String.fromCharCode(code))
  const bytes = fc.uint8Array({ maxLength: 20 }).map(b => Buffer.from(b))
  const value = fc.oneof(
    bytes,
    fc.json().map(text => Buffer.from(text))
  )
  const names = ['ce_id', 'ce_source', 'ce_type', 'ce_specversion', 'ce_partitionkey', '__proto__', 'constructor']
  const name = fc.oneof(fc.constantFrom(...names), fc.string({ unit, maxLength: 8 }))
  const text = fc.constantFrom('1.0', 'a', 'a\u0000', 'k'.repeat(2000)).map(s => Buffer.from(s))
  const headers = fc.array(fc.tuple(name, fc.oneof(text, bytes)), { maxLength: 8 }).map(Object.fromEntries)
  const names0 = Reflect.ownKeys(Object.prototype)
  fc.assert(
    fc.property(
      headers,
      value,
      fc.oneof(
        bytes,
        fc.string({ unit }).map(s => Buffer.from(s))
      ),
      (headers, raw, key) => {
        const delivery: Delivery = { topic: 't', key, headers, raw, timestamp: new Date(), position: '0:1', done() {} }
        const { row, refusal } = decodeDelivery('c', delivery)
        const storable = !JSON.stringify(row).includes('\\u0000')
        const indexed = row.key !== '' && Buffer.byteLength(row.key) <= 1000
        return (
          storable &&
          indexed &&
          fits(refusal, 'SF_EVENTS_UNDECODABLE') &&
          fits(failureOf(raw), code, 'SF_INBOX_NUMBER_INEXACT')
        )
      }
    ),
    { numRuns: 300 }
  )
  t.same(Reflect.ownKeys(Object.prototype), names0)
})
