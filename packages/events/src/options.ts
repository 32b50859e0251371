import { createError } from '@fastify/error'
import { distance } from 'fastest-levenshtein'
import { type Static, type TObject, Type } from 'typebox'
import { Value } from 'typebox/value'

/** An option that is unknown, or of the wrong form. The message names it and, for a misspelling, what was likely meant. */
export const InvalidOptions = createError('SF_OPTIONS_INVALID', '%s: %s', 500, TypeError)

/**
 * Checks the options of a plugin against their TypeBox schema, fills in the schema's defaults and returns a copy; the
 * caller's object stays as it is. Members that are functions or instances: {@link functionOption}, {@link instanceOption}.
 *
 * @param owner the package the message speaks of, e.g. `@steadfast/relay`
 * @param others names that are somebody else's: left out, and not read
 * @throws SF_OPTIONS_INVALID
 */
export function parseOptions<T extends TObject>(
  owner: string,
  schema: T,
  given: unknown,
  others: readonly string[] = []
): Static<T> {
  const options = readAll(owner, given, others)
  const known = Object.keys(schema.properties)
  for (const name of Object.keys(options)) {
    if (options[name] === undefined) {
      delete options[name]
      continue
    }
    if (known.includes(name)) continue
    const near = known
      .filter(k => distance(k.toLowerCase(), name.toLowerCase()) <= 3)
      .sort((a, b) => distance(a, name) - distance(b, name))[0]
    throw new InvalidOptions(
      owner,
      `unknown option "${name}"${near ? `; did you mean "${near}"?` : `; known are ${known.join(', ')}`}`
    )
  }
  for (const [name, member] of Object.entries(schema.properties)) {
    const fallback = (member as { default?: unknown }).default
    if (options[name] === undefined && fallback !== undefined) options[name] = structuredClone(fallback)
  }
  if (!Value.Check(schema, options)) {
    const [error] = Value.Errors(schema, options)
    const path = error?.instancePath.slice(1).replaceAll('/', '.')
    throw new InvalidOptions(owner, `option ${path ? `"${path}" ` : ''}${error?.message ?? 'invalid'}`)
  }
  return options as Static<T>
}

/** The longest duration in a table: PostgreSQL and JavaScript each know dates that the other does not. */
export const CENTURY_MS = 36_500 * 86_400_000

/** The longest duration of a timer: some eleven days, so that twice as much, or a little more, is no overflow. */
export const LONGEST_MS = 1_000_000_000

/** An option that is a duration in ms, which some timer waits for. `minimum`: default 1. */
export const durationOption = (
  fallback: number,
  { minimum = 1, ...about }: { minimum?: number; description?: string } = {}
) => Type.Integer({ minimum, maximum: LONGEST_MS, default: fallback, ...about })

/** An option that is a function. */
export const functionOption = <F>() =>
  Type.Refine(
    Type.Unsafe<F>({}),
    value => typeof value === 'function',
    () => 'must be a function'
  )

/** An option that is somebody's instance, known by its methods. @param what as the message says it, e.g. `a pool` */
export const instanceOption = <T>(what: string, methods: readonly string[]) =>
  Type.Refine(
    Type.Unsafe<T>({}),
    value => typeof value === 'object' && value !== null && methods.every(name => isFunction(value, name)),
    () => `must be ${what}`
  )

const isFunction = (value: object, name: string) => typeof (value as Record<string, unknown>)[name] === 'function'

/** Reads each member once. Not by assignment, which one named `__proto__` would not survive. */
function readAll(owner: string, given: unknown = {}, others: readonly string[]): Record<string, unknown> {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new InvalidOptions(owner, 'the options must be an object')
  const read = (name: string): [string, unknown] => {
    try {
      return [name, (given as Record<string, unknown>)[name]]
    } catch (error) {
      throw new InvalidOptions(owner, `option "${name}" cannot be read: ${String(error)}`)
    }
  }
  const names = Object.keys(given).filter(name => !others.includes(name))
  return Object.fromEntries(names.map(read))
}
