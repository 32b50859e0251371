import { backoffMs } from './backoff.ts'

/** Keys whose last send failed, each with the time until which it is left alone. */
export interface FailingKeys {
  /** Keys that are backed off now. */
  excluded(): string[]
  /** False when there are too many to remember one more. */
  failed(key: string): boolean
  succeeded(key: string): void
  /** The transport works again: everything may be tried. */
  clear(): void
  /** ms until the first key may be tried again; undefined when none waits. */
  nextMs(): number | undefined
}

// A fetch carries them as a parameter. Past the bound the whole relay is slowed down instead.
const MAX_KEYS = 1000

export function failingKeys(): FailingKeys {
  const keys = new Map<string, { failures: number; until: number }>()
  return {
    excluded() {
      const now = performance.now()
      return [...keys].filter(([, { until }]) => until > now).map(([key]) => key)
    },
    failed(key) {
      const known = keys.get(key)
      if (known === undefined && keys.size >= MAX_KEYS) return false
      const failures = known?.failures ?? 0
      keys.set(key, {
        failures: failures + 1,
        until: performance.now() + backoffMs(failures, { baseMs: 200, maxMs: 10_000 })
      })
      return true
    },
    succeeded: key => void keys.delete(key),
    clear: () => keys.clear(),
    nextMs() {
      const now = performance.now()
      const waits = [...keys.values()].map(({ until }) => until - now).filter(ms => ms > 0)
      return waits.length === 0 ? undefined : Math.min(...waits)
    }
  }
}
