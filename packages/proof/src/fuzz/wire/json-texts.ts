import fc from 'fast-check'

/** One of these, the larger the number the more often. */
export function often<T>(...choices: [weight: number, arbitrary: fc.Arbitrary<T>][]): fc.Arbitrary<T> {
  return fc.oneof(...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })))
}

/** Names that reach for prototypes, and a few that do not. */
const NAMES = ['__proto__', 'constructor', 'prototype', 'toString', 'id', 'n', 'a', '', 'a/b', '\u0000', '\ud800']

/** Atoms as text, since JSON.stringify writes none of the interesting ones. */
const ATOMS = [
  'null',
  'true',
  '-0',
  '0.1e1',
  '1e400',
  '-1e400',
  '1E-400',
  '9007199254740993',
  '123456789012345678901234567890',
  '0.1000000000000000055511151231257827',
  '"\\u0000"',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\ufeff"',
  '"\u2028"',
  '""'
]

/** What is no JSON, or is only in the eyes of some parsers. */
const BROKEN = [
  '',
  ' ',
  '\ufeff',
  'NaN',
  'Infinity',
  '01',
  '+1',
  "{'a':1}",
  '{"a":1,}',
  '[1,]',
  '/**/1',
  '1 2',
  '"\t"',
  '{}{}'
]

/** Half a surrogate pair and NUL included; quicker to begin with than fast-check's own 'binary'. */
export const anyUnit = fc.nat(0xffff).map(code => String.fromCharCode(code))

const quoted = fc
  .oneof(fc.constantFrom(...NAMES), fc.string({ unit: anyUnit, maxLength: 8 }))
  .map(s => JSON.stringify(s))
const space = fc.constantFrom('', '', '', ' ', '\n\t')

/** JSON texts: duplicate names, numbers beyond what a double holds, white space, names of prototypes at every level. */
const { value: tree } = fc.letrec<{ value: string }>(tie => ({
  value: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    fc.constantFrom(...ATOMS),
    fc.integer().map(String),
    quoted,
    fc.array(tie('value'), { maxLength: 4 }).map(items => `[${items.join(',')}]`),
    fc
      .array(fc.tuple(space, quoted, space, tie('value')), { maxLength: 5 })
      .map(
        members => `{${members.map(([before, name, after, value]) => `${before}${name}${after}:${value}`).join(',')}}`
      )
  )
}))

/** An object or array that is nested so many levels deep. */
export const nested = (levels: number, open = '[', close = ']', core = '1'): string =>
  open.repeat(levels) + core + close.repeat(levels)

const deep = fc
  .tuple(fc.integer({ min: 1, max: 3000 }), fc.constantFrom(['[', ']'], ['{"c":', '}'], ['{"__proto__":', '}']))
  .map(([levels, [open, close]]) => nested(levels, open, close, '{}'))

/** JSON, nearly JSON, and what is not. */
export const jsonText: fc.Arbitrary<string> = often<string>(
  [8, tree],
  [2, fc.json()],
  [1, fc.constantFrom(...BROKEN)],
  [1, deep]
)

// Stray continuation, overlong slash, encoded surrogate, beyond U+10FFFF, cut sequence, UTF-16 and UTF-8 marks, NUL.
const SNIPPETS = ['80', 'c0af', 'eda080', 'f4908080', 'e282', 'fffe', 'efbbbf', '00', 'ff', '7b', '22', '5c75']

/** Bytes with one place changed: cut, doubled, overwritten, or with something put in between. */
export function damaged(bytes: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  const place = fc.double({ min: 0, max: 1, noNaN: true })
  const how = fc.constantFrom('cut', 'end', 'double', 'overwrite', 'insert')
  return fc.tuple(bytes, place, how, fc.constantFrom(...SNIPPETS)).map(([whole, where, what, hex]) => {
    const at = Math.floor(where * whole.length)
    const snippet = Buffer.from(hex, 'hex')
    const before = whole.subarray(0, at)
    const after = whole.subarray(at)
    if (what === 'cut') return Buffer.concat([before, after.subarray(1)])
    if (what === 'end') return Buffer.from(before)
    if (what === 'double') return Buffer.concat([before, after.subarray(0, 1), after])
    if (what === 'overwrite') return Buffer.concat([before, snippet, after.subarray(snippet.length)])
    return Buffer.concat([before, snippet, after])
  })
}
