import { createError } from '@fastify/error'
import { distance } from 'fastest-levenshtein'
import type { Static, TObject } from 'typebox'
import { Value } from 'typebox/value'

/** An option that is unknown, or of the wrong form. The message names it and, for a misspelling, what was likely meant. */
export const InvalidOptions = createError('SF_OPTIONS_INVALID', '%s: %s', 500, TypeError)

/**
 * Checks the options of a plugin against their TypeBox schema, fills in the schema's defaults and returns a copy; the
 * caller's object stays as it is. Members that are functions or instances are declared as `Type.Unsafe<…>({})`.
 *
 * @param owner the package the message speaks of, e.g. `@steadfast/relay`
 * @throws SF_OPTIONS_INVALID
 */
export function parseOptions<T extends TObject>(owner: string, schema: T, given: unknown): Static<T> {
  const options = { ...(given as Record<string, unknown> | undefined) }
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
