import type { Attempt, Consumer } from './types.ts'

type Wait = Extract<Attempt, { kind: 'wait' }>

/** A delivery that is asked to wait for longer than this is set aside, and with it what stands behind it. */
const IN_MEMORY_MS = 3_000
/** So often a delivery may be asked to wait in a row before it is set aside. */
const IN_MEMORY_WAITS = 3
const LEAST_MS = 50
const WAIT_MAX_MS = 30_000

/** For how long a handler asks to wait, at most an hour. That it asked for more is said once for each type. */
export function askedMs(consumer: Consumer, type: string, { ms, cut }: Wait): number | undefined {
  if (cut !== undefined && !consumer.longWaits.has(type)) {
    consumer.longWaits.add(type)
    consumer.log.warn({ type, retryAfter: cut }, 'a handler asks to wait for more than an hour: it waits for an hour')
  }
  return ms
}

/** How a delivery waits that was asked to, for the `before`th time in a row: in memory, or set aside. */
export function waitOf(
  consumer: Consumer,
  type: string,
  wait: Wait,
  before: number
): { in: 'memory' | 'inbox'; ms: number } {
  const wanted = askedMs(consumer, type, wait) ?? Math.min(WAIT_MAX_MS, 1_000 * 2 ** before)
  if (wanted > IN_MEMORY_MS || before >= IN_MEMORY_WAITS) return { in: 'inbox', ms: wanted }
  return { in: 'memory', ms: Math.max(LEAST_MS, wanted) }
}
