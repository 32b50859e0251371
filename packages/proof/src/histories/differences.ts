/** A time that a model knows only within bounds, in ms; the row's own value is taken over once it was found within. */
export interface Span {
  from: number
  to: number
}

/** ms since the epoch; null where there is none. */
export type Time = number | Span | null

// Times come from the database as fractions of a millisecond.
const TOLERANCE_MS = 0.01

function fits(expected: Time, actual: number | null): boolean {
  if (expected === null || actual === null) return expected === actual
  if (typeof expected === 'number') return Math.abs(expected - actual) <= TOLERANCE_MS
  return actual >= expected.from - TOLERANCE_MS && actual <= expected.to + TOLERANCE_MS
}

const isTime = (value: unknown): value is Span => typeof value === 'object' && value !== null && 'from' in value

/**
 * Compares a row with what the model expects of it, column by column, and takes over the values of times that were only
 * known within bounds.
 */
export function differences<Row extends object>(
  name: string,
  expected: Row,
  actual: { [K in keyof Row]?: unknown }
): string[] {
  const found: string[] = []
  for (const column of Object.keys(expected) as (keyof Row & string)[]) {
    const want = expected[column] as unknown
    const have = actual[column]
    if (isTime(want) || (typeof want === 'number' && typeof have === 'number')) {
      if (fits(want as Time, have as number | null)) (expected as Record<string, unknown>)[column] = have
      else found.push(`${name}: ${column} is ${have}, expected ${isTime(want) ? `${want.from} … ${want.to}` : want}`)
    } else if (want !== have) found.push(`${name}: ${column} is ${String(have)}, expected ${String(want)}`)
  }
  return found
}

/** Compares what a verb returned. */
export function resultDifference(title: string, expected: unknown, actual: unknown): string[] {
  const [want, have] = [JSON.stringify(expected), JSON.stringify(actual)]
  return want === have ? [] : [`${title} returned ${have}, expected ${want}`]
}
