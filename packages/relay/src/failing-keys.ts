import { backoffMs } from '@steadfast/events/runtime'

/** Keys of a topic whose last send failed, each with the time until which it is left alone. */
export interface FailingKeys {
  /** Keys that are backed off now. */
  excluded(): string[]
  failed(key: string): void
  /** Sends of this key that failed in a row, as far as they are remembered. */
  failures(key: string): number
  succeeded(key: string): void
  /** Everything may be tried. */
  clear(): void
  isEmpty(): boolean
  /** ms until the first key may be tried again; undefined when none waits. */
  nextMs(): number | undefined
}

// A fetch carries them as a parameter. Past the bound the one that has been waiting longest is tried early.
const MAX_KEYS = 1000

export function failingKeys(): FailingKeys {
  const keys = new Map<string, { failures: number; until: number }>()
  return {
    excluded() {
      const now = performance.now()
      return [...keys].filter(([, { until }]) => until > now).map(([key]) => key)
    },
    failed(key) {
      const failures = keys.get(key)?.failures ?? 0
      keys.delete(key)
      const [oldest] = keys.size >= MAX_KEYS ? keys.keys() : []
      if (oldest !== undefined) keys.delete(oldest)
      keys.set(key, {
        failures: failures + 1,
        until: performance.now() + backoffMs(failures, { firstMs: 200, lastMs: 10_000 })
      })
    },
    failures: key => keys.get(key)?.failures ?? 0,
    succeeded: key => void keys.delete(key),
    clear: () => keys.clear(),
    isEmpty: () => keys.size === 0,
    nextMs() {
      const now = performance.now()
      const waits = [...keys.values()].map(({ until }) => until - now).filter(ms => ms > 0)
      return waits.length === 0 ? undefined : Math.min(...waits)
    }
  }
}
