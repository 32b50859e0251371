/** However long a handler asks to wait, its delivery is looked at again after an hour. */
const LONGEST_WAIT_MS = 3_600_000

/** What a `Retry-After` asks for. */
export interface RetryAfter {
  /** Absent: it says nothing that can be understood. */
  ms?: number
  /** What it said, when that was more than an hour. */
  cut?: string
}

/** RFC 9110: seconds, or a date. Never less than 0, nor more than an hour. */
export function readRetryAfter(value: unknown, now = Date.now()): RetryAfter {
  const asked = askedMs(value, now)
  if (asked === undefined || Number.isNaN(asked)) return {}
  if (asked > LONGEST_WAIT_MS) return { ms: LONGEST_WAIT_MS, cut: String(value).slice(0, 100) }
  return { ms: Math.max(0, asked) }
}

function askedMs(value: unknown, now: number): number | undefined {
  if (typeof value === 'number') return value < 0 ? undefined : value * 1000
  if (typeof value !== 'string') return undefined
  if (/^\d+$/.test(value)) return Number(value) * 1000
  // What is no date at all is taken for one by Date.parse, e.g. "-5".
  return /^[A-Z][a-z]{2,8},? .*\d/.test(value) ? Date.parse(value) - now : undefined
}
