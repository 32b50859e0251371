import type { OrderUnit } from './key-chains.ts'

/** Types whose handler fails for many keys at once; see {@link createSlowTypes}. */
export interface SlowTypes {
  /** A delivery of the type failed. */
  failed(type: string, unit: OrderUnit, error: unknown): void
  /** Its handler has worked, or given a verdict: the type is well. */
  succeeded(type: string): void
  isSlow(type: string): boolean
  /** Whether a fresh delivery may run: always, but of a slow type only one now and then, as a probe. */
  mayRun(type: string): boolean
  /** Why each of them is slow. */
  reasons(): { type: string; reason: string }[]
}

/** Failures further apart have nothing to do with each other. */
const TOGETHER_MS = 60_000

interface Failing {
  /** When each topic and key failed last. */
  units: Map<string, number>
  /** Absent: it fails, but not for so many that it is slow. */
  slow?: { reason: string; probeAt: number; pauseMs: number }
}

/**
 * Counts failures of handlers for each type. When a type fails for `pauseAfterKeys` keys within a minute, without a success
 * between, it is slow: probes of it run after `pauseMs` that double up to `pauseMaxMs`, and the rest is set aside without
 * being run, so that it holds no place of others. A success, or a minute without a failure, ends that.
 */
export function createSlowTypes(options: {
  pauseAfterKeys: number
  pauseMs: number
  pauseMaxMs: number
  onSlow(type: string, error: unknown): void
  onWell(type: string): void
}): SlowTypes {
  const types = new Map<string, Failing>()

  function slowOf(type: string): Failing['slow'] {
    const failing = types.get(type)
    if (failing === undefined) return undefined
    forget(failing)
    if (failing.units.size === 0) well(type)
    return types.get(type)?.slow
  }

  function well(type: string): void {
    const wasSlow = types.get(type)?.slow !== undefined
    types.delete(type)
    if (wasSlow) options.onWell(type)
  }

  return {
    failed(type, { topic, key }, error) {
      const failing: Failing = types.get(type) ?? { units: new Map() }
      types.set(type, failing)
      forget(failing)
      const unit = `${topic}\n${key}`
      // Set anew, so that the oldest stands first.
      failing.units.delete(unit)
      failing.units.set(unit, performance.now())
      const [oldest] = failing.units.keys()
      if (failing.units.size > options.pauseAfterKeys && oldest !== undefined) failing.units.delete(oldest)
      if (failing.slow !== undefined || failing.units.size < options.pauseAfterKeys) return
      const { pauseMs } = options
      const reason = String((error as Error | undefined)?.message ?? error)
      failing.slow = { reason, pauseMs, probeAt: performance.now() + pauseMs }
      options.onSlow(type, error)
    },
    succeeded: well,
    isSlow: type => slowOf(type) !== undefined,
    mayRun(type) {
      const slow = slowOf(type)
      if (slow === undefined) return true
      const now = performance.now()
      if (now < slow.probeAt) return false
      slow.pauseMs = Math.min(slow.pauseMs * 2, options.pauseMaxMs)
      slow.probeAt = now + slow.pauseMs
      return true
    },
    reasons() {
      return [...types.keys()].flatMap(type => {
        const slow = slowOf(type)
        return slow === undefined ? [] : [{ type, reason: slow.reason }]
      })
    }
  }
}

function forget({ units }: Failing): void {
  const before = performance.now() - TOGETHER_MS
  for (const [unit, at] of units) if (at < before) units.delete(unit)
}
