import fc from 'fast-check'
import { anyUnit, damaged, jsonText, nested, often } from './json-texts.ts'

/** A record as a broker may hold it: names may come twice, key and value may be absent. */
export interface WireRecord {
  key: Buffer | null
  headers: [name: string, value: Buffer | null][]
  value: Buffer | null
}

/** The type of the events that are good; its contract: an object with a text `id` and an integer `n`. */
export const GOOD = 'fuzz.good'
/** The type whose contract is recursive, and the one that takes any JSON. */
export const TREE = 'fuzz.tree'
export const ANY = 'fuzz.any'

const text = (value: string) => Buffer.from(value)
const bytes = fc.uint8Array({ maxLength: 40 }).map(b => Buffer.from(b))
const odd = fc.oneof(
  fc
    .constantFrom(
      '',
      '\u0000',
      'a\u0000b',
      '\ufeff',
      '\ud800',
      '-0',
      '-5',
      '1e400',
      'NaN',
      'null',
      '{}',
      '[]',
      ' ',
      '\r\n'
    )
    .map(text),
  fc
    .constantFrom('9'.repeat(17), '9'.repeat(400), 'x'.repeat(1001), 'ф'.repeat(600), '../../x', 'a b', '"; drop')
    .map(text),
  fc.string({ unit: anyUnit, maxLength: 20 }).map(text),
  bytes
)

/** Each attribute with what a well-behaved sender writes there. */
const ATTRIBUTES: [name: string, value: fc.Arbitrary<string>][] = [
  ['ce_specversion', fc.constant('1.0')],
  ['ce_id', fc.oneof(fc.uuid(), fc.string({ minLength: 1, maxLength: 20 }))],
  ['ce_source', fc.constantFrom('fuzz', 'peer', 'https://example.test/a')],
  ['ce_type', fc.constantFrom(GOOD, GOOD, TREE, ANY, 'fuzz.unheard-of', 'steadfast.refused')],
  ['ce_time', fc.constantFrom('2026-01-01T00:00:00Z', 'yesterday')],
  ['ce_subject', fc.string()],
  ['ce_partitionkey', fc.constantFrom('k0', 'k1', 'k2')],
  ['ce_sequence', fc.constant('0000000000000000042')],
  ['ce_causationid', fc.uuid()],
  ['ce_correlationid', fc.string({ minLength: 1 })],
  ['ce_replyto', fc.constantFrom('peer.signals', 'no topic', 'x'.repeat(300))],
  ['ce_dataversion', fc.constantFrom('1', '2')],
  ['ce_attempt', fc.constantFrom('1', '2', '7')],
  ['ce_replay', fc.constantFrom('true', 'false')],
  ['content-type', fc.constantFrom('application/json', 'application/vnd.fuzz+json; charset=UTF-8')]
]
const REQUIRED = ['ce_specversion', 'ce_id', 'ce_source', 'ce_type']
const STRANGE = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'length',
  '',
  'ce_',
  'CE_ID',
  'ce_data',
  'a\u0000b',
  'traceparent',
  'tracestate'
]

/** All required attributes and some of the others, as they should be. */
const proper: fc.Arbitrary<[string, Buffer][]> = fc
  .tuple(...ATTRIBUTES.map(([name, value]) => fc.tuple(fc.constant(name), value, fc.boolean())))
  .map(all =>
    all
      .filter(([name, , kept]) => kept || REQUIRED.includes(name))
      .map(([name, value]): [string, Buffer] => [name, text(value)])
  )

const name = fc.oneof(
  fc.constantFrom(...ATTRIBUTES.map(([known]) => known)),
  fc.constantFrom(...STRANGE),
  // On the wire a name is UTF-8, which has no half surrogate pairs.
  fc.string({ unit: anyUnit, maxLength: 10 }).map(units => units.replace(/\p{Surrogate}/gu, '\ufffd'))
)
const anyHeader = fc.tuple(name, fc.option(odd, { freq: 8 }))
const anyHeaders = fc.array(anyHeader, { maxLength: 12 })

/** Proper ones with one thing wrong: missing, odd, twice, or beside something strange. */
const nearlyProper = fc
  .tuple(proper, fc.nat(), fc.constantFrom('odd', 'missing', 'twice', 'more'), odd, anyHeader)
  .map(([headers, nth, what, value, other]): WireRecord['headers'] => {
    const at = nth % headers.length
    const [known] = headers[at] as [string, Buffer]
    if (what === 'missing') return headers.toSpliced(at, 1)
    if (what === 'odd') return headers.toSpliced(at, 1, [known, value])
    if (what === 'twice') return [...headers, [known, value]]
    return [...headers, other]
  })

const fitting = fc.oneof(
  fc.record({ id: fc.string({ unit: anyUnit }), n: fc.integer() }).map(data => JSON.stringify(data)),
  fc.string().map(id => `{"id":${JSON.stringify(id)},"n":9007199254740993,"n":-0,"big":123456789012345678901234567890}`)
)
const goodValue = fitting.map(text)
const value = often<Buffer | null>(
  [3, goodValue],
  [3, damaged(goodValue)],
  [4, jsonText.map(text)],
  [2, damaged(jsonText.map(text))],
  [1, bytes],
  [1, fc.constant(null)]
)
const key = often<Buffer | null>([6, fc.constantFrom('k0', 'k1', 'k2').map(text)], [2, fc.option(odd)])

/** Records of every kind, most of them wrong in one place only. */
export const wireRecord: fc.Arbitrary<WireRecord> = often<WireRecord>(
  [5, fc.record({ key, headers: proper, value })],
  [5, fc.record({ key, headers: nearlyProper, value: goodValue })],
  [1, fc.record({ key, headers: nearlyProper, value })],
  [2, fc.record({ key, headers: anyHeaders, value })]
)

const MANY = 100_000

/** What is too large to be made thousands of times: each with its name. `long`: bytes of the long ones. */
export function giants(long: number): [what: string, record: WireRecord][] {
  const of = (type: string, data: string, more: WireRecord['headers'] = []): WireRecord => ({
    key: text('k0'),
    headers: [
      ['ce_specversion', text('1.0')],
      ['ce_source', text('fuzz')],
      ['ce_type', text(type)],
      ['ce_id', text('giant')],
      ...more
    ],
    value: text(data)
  })
  const list: [string, WireRecord][] = []
  for (const type of [GOOD, TREE, ANY]) {
    list.push([`${MANY} arrays in each other as ${type}`, of(type, nested(MANY))])
    list.push([`${MANY} objects in each other as ${type}`, of(type, nested(MANY, '{"c":', '}', '{}'))])
    list.push([`${MANY} objects in each other around a misfit as ${type}`, of(type, nested(MANY, '{"c":', '}', '7'))])
  }
  list.push(['arrays that are not closed', of(ANY, '['.repeat(MANY))])
  list.push(['__proto__ behind many levels', of(ANY, nested(MANY, '{"c":', '}', '{"__proto__":{"polluted":1}}'))])
  list.push(['a long text', of(GOOD, `{"id":"${'x'.repeat(long)}","n":1}`)])
  list.push(['a long number', of(GOOD, `{"id":"x","n":${'9'.repeat(long)}}`)])
  list.push(['a long fraction', of(ANY, `0.${'3'.repeat(long)}`)])
  list.push(['a long name', of(GOOD, `{"${'x'.repeat(long)}":1}`)])
  list.push(['a long escape', of(GOOD, `{"id":"${'\\ud800'.repeat(long / 10)}","n":1}`)])
  list.push(['a name many times', of(GOOD, `{${'"id":"x",'.repeat(MANY)}"n":1}`)])
  list.push(['many names', of(GOOD, `{${Array.from({ length: MANY }, (_, i) => `"a${i}":1,`).join('')}"n":1}`)])
  list.push(['white space', of(GOOD, `${' '.repeat(long)}{"id":"x","n":1}`)])
  list.push(['a long header', of(GOOD, '{"id":"x","n":1}', [['more', Buffer.alloc(long, 'x')]])])
  list.push(['a long type', of('x'.repeat(long), '{"id":"x","n":1}')])
  list.push(['a long key', { ...of(GOOD, '{"id":"x","n":1}', [['ce_partitionkey', Buffer.alloc(long, 'k')]]) }])
  list.push(['a long reply-to', of(GOOD, '{"id":7}', [['ce_replyto', Buffer.alloc(long, 'r')]])])
  list.push([
    'a header many times',
    of(
      GOOD,
      '{"id":"x","n":1}',
      Array.from({ length: 2000 }, () => ['ce_id', text('i')])
    )
  ])
  return list
}

/** A record as a person reads it; long parts are cut. */
export function describeRecord({ key, headers, value }: WireRecord): string {
  const show = (part: Buffer | null) => (part === null ? 'null' : cut(JSON.stringify(part.toString('latin1'))))
  const shown = headers.slice(0, 20).map(([name, part]) => `${cut(JSON.stringify(name))}: ${show(part)}`)
  return `key ${show(key)}, headers {${shown.join(', ')}}, value ${show(value)} (bytes as Latin-1)`
}

const cut = (line: string) => (line.length > 300 ? `${line.slice(0, 200)}… (${line.length} characters)` : line)
