/** What this helper needs of a tap test. */
export interface Matcher {
  currentAssert: unknown
  matchOnly(found: unknown, pattern: unknown, ...message: [] | [string]): boolean
}

/**
 * `t.match` for patterns with arrays in them: an object may have members that the pattern does not name, an array has
 * exactly as many elements as its pattern. (`t.match` compares arrays only up to the length of the pattern, so that
 * the pattern `[]` matches whatever is found.)
 */
export function matchWhole(t: Matcher, found: unknown, pattern: unknown, ...message: [] | [string]): boolean {
  // a failure is shown where this function was called
  t.currentAssert = matchWhole
  return t.matchOnly(pick(found, pattern), pattern, ...message)
}

/** `found` without the members that the pattern does not name. */
function pick(found: unknown, pattern: unknown): unknown {
  if (Array.isArray(pattern) && Array.isArray(found)) return found.map((element, i) => pick(element, pattern[i]))
  if (!isPlain(pattern) || !isMembered(found)) return found
  return Object.fromEntries(Object.entries(pattern).map(([name, wanted]) => [name, pick(found[name], wanted)]))
}

const isMembered = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

const isPlain = (value: unknown): value is Record<string, unknown> =>
  isMembered(value) && [Object.prototype, null].includes(Object.getPrototypeOf(value))
