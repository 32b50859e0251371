import fc from 'fast-check'

/** What an option is for, as far as a wrong value can be told from a right one without the plugin's own schema. */
export type Kind = 'number' | 'text' | 'flag' | 'list' | 'object' | 'function' | 'instance' | 'any'

/** The part of JSON schema that options are declared with. */
export interface Member {
  type?: string
  minimum?: number
  maximum?: number
  default?: unknown
  pattern?: string
  anyOf?: Member[]
  [other: string]: unknown
}

const KINDS: Record<string, Kind> = {
  integer: 'number',
  number: 'number',
  string: 'text',
  boolean: 'flag',
  array: 'list',
  object: 'object'
}

export const kindOf = ({ type }: Member): Kind => KINDS[type ?? ''] ?? 'any'

/** Functions are printed by name, so that a failure can be read. */
function doNothing(): void {}

class Stranger {
  get anything(): never {
    throw new TypeError('a getter that throws')
  }
}

const HOSTILE: unknown[] = [
  null,
  true,
  false,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -1,
  -0,
  0,
  0.5,
  1,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 53,
  1e300,
  7n,
  '',
  ' ',
  '1',
  'x"; drop table event; --',
  "x'; drop",
  'pg_catalog',
  'a\u0000b',
  '\ud800',
  '__proto__',
  'constructor',
  '../../etc',
  'x'.repeat(100_000),
  [],
  [null],
  [[]],
  {},
  { length: -1 },
  Object.freeze({ __proto__: null, polluted: 1 }),
  JSON.parse('{"__proto__": {"polluted": 1}}'),
  Object.create(null),
  new Stranger(),
  new Date(Number.NaN),
  new Map(),
  /x/,
  Symbol('option'),
  doNothing,
  Promise.resolve(1)
]

export const hostile: fc.Arbitrary<unknown> = fc.constantFrom(...HOSTILE)

/** A value that the member's schema allows, at its bounds above all. */
export function fitting(member: Member): fc.Arbitrary<unknown> {
  if (member.anyOf) return fc.oneof(...member.anyOf.map(fitting))
  if ('const' in member) return fc.constant(member.const)
  const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER, default: fallback } = member
  const usual = fallback === undefined ? [] : [fc.constant(fallback)]
  // What fits a bigint may not fit an integer, a timer or a date.
  const bounds = [minimum, minimum + 1, 2 ** 31 - 1, 2 ** 31, maximum].filter(n => n >= minimum && n <= maximum)
  if (member.type === 'integer')
    return fc.oneof(
      ...usual,
      fc.constantFrom(...bounds),
      fc.integer({ min: minimum, max: Math.min(maximum, 2 ** 31 - 1) })
    )
  if (member.type === 'number')
    return fc.oneof(...usual, fc.constantFrom(...bounds), fc.double({ min: minimum, max: 1e6, noNaN: true }))
  if (member.type === 'boolean') return fc.boolean()
  return fallback === undefined ? hostile : fc.constant(fallback)
}

/** Whether a value is certainly not what the option is for. */
export function isWrong(kind: Kind, { type, minimum, maximum }: Member, value: unknown): boolean {
  if (value === undefined || kind === 'any') return false
  if (kind === 'function') return typeof value !== 'function'
  if (kind === 'text') return typeof value !== 'string'
  if (kind === 'flag') return typeof value !== 'boolean'
  if (kind === 'list') return !Array.isArray(value)
  if (kind === 'object' || kind === 'instance')
    return typeof value !== 'object' || value === null || Array.isArray(value)
  if (typeof value !== 'number' || !Number.isFinite(value)) return true
  if (type === 'integer' && !Number.isInteger(value)) return true
  return value < (minimum ?? value) || value > (maximum ?? value)
}

/** A name that is nearly another: a letter lost, doubled, swapped or in the other case. */
export function misspelt(name: string): fc.Arbitrary<string> {
  return fc
    .tuple(fc.nat(name.length - 1), fc.constantFrom('lose', 'double', 'case', 'add'))
    .map(([at, how]) => {
      const letter = name[at] ?? ''
      if (how === 'lose') return name.slice(0, at) + name.slice(at + 1)
      if (how === 'double') return name.slice(0, at) + letter + name.slice(at)
      if (how === 'add') return `${name}s`
      const other = letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase()
      return name.slice(0, at) + other + name.slice(at + 1)
    })
    .filter(wrong => wrong !== name && wrong !== '')
}
