import fc from 'fast-check'
import { fitting, hostile, isWrong, type Kind, kindOf, type Member, misspelt } from './values.ts'

/** What is known of a plugin's options. */
export interface OptionsOf {
  members: Record<string, Member>
  /** What options are for whose schema does not tell. */
  kinds: Record<string, Kind>
  /** Values that suit options whose schema does not tell, or where chance finds none. */
  suitable: Record<string, unknown[]>
}

/** One change: the name that was given, and a value, or a getter that throws. */
export interface Change {
  name: string
  value?: unknown
  throws?: true
  /** It cannot be right, whatever the other options are. */
  mustRefuse: boolean
}

/** Options to register a plugin with. */
export interface Mutated {
  changes: Change[]
  form: 'plain' | 'frozen' | 'no prototype' | 'inherited'
}

/** The options themselves: what the plugin needs, with the changes. */
export function optionsOf({ changes, form }: Mutated, needed: Record<string, unknown>): object {
  const options: object =
    form === 'no prototype' ? Object.create(null) : form === 'inherited' ? Object.create({ colour: 'red' }) : {}
  const set = (name: string, how: PropertyDescriptor) =>
    Object.defineProperty(options, name, { enumerable: true, configurable: true, ...how })
  for (const [name, value] of Object.entries(needed)) set(name, { value })
  for (const { name, value, throws } of changes) {
    if (throws) set(name, { get: refuseToTell })
    else set(name, { value })
  }
  return form === 'frozen' ? Object.freeze(options) : options
}

function refuseToTell(): never {
  throw new TypeError('a getter that throws')
}

const STRANGE = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'colour',
  '',
  ' ',
  'a\u0000b',
  'x'.repeat(1000),
  'a/b',
  '0'
]

/** One to three options changed: to what fits, to what does not, under a wrong name, or to what cannot be read. */
export function mutatedOptions({ members, kinds, suitable }: OptionsOf): fc.Arbitrary<Mutated> {
  const names = Object.keys(members)
  const value = (name: string, arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<Change> =>
    arbitrary.map(given => {
      const member = members[name] as Member
      return { name, value: given, mustRefuse: isWrong(kinds[name] ?? kindOf(member), member, given) }
    })
  const known = fc.constantFrom(...names)
  const fits = (name: string) => {
    const { [name]: some } = suitable
    return some ? fc.constantFrom(...some) : fitting(members[name] as Member)
  }
  const right = known.chain(name => value(name, fits(name)))
  const wrong = known.chain(name => value(name, hostile))
  const unreadable = known.map((name): Change => ({ name, throws: true, mustRefuse: true }))
  const nearly = known
    .chain(misspelt)
    .filter(name => !names.includes(name))
    .map((name): Change => ({ name, value: 1, mustRefuse: true }))
  const unknown = fc
    .tuple(fc.constantFrom(...STRANGE), hostile)
    .map(([name, given]): Change => ({ name, value: given, mustRefuse: true }))
  const change = fc.oneof(
    { arbitrary: right, weight: 6 },
    { arbitrary: wrong, weight: 7 },
    { arbitrary: unreadable, weight: 1 },
    { arbitrary: nearly, weight: 1 },
    { arbitrary: unknown, weight: 1 }
  )
  const changes = fc.uniqueArray(change, { minLength: 1, maxLength: 3, selector: ({ name }) => name })
  const several = fc.uniqueArray(right, { minLength: 2, maxLength: 6, selector: ({ name }) => name })
  return fc.record({
    changes: fc.oneof({ arbitrary: changes, weight: 4 }, { arbitrary: several, weight: 1 }),
    form: fc.constantFrom('plain', 'plain', 'frozen', 'no prototype', 'inherited')
  })
}
