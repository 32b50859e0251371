import { backoffMs } from '@steadfast/events/runtime'
import type { MarkResult } from '@steadfast/store/internal'

/** An event that the broker acknowledged, as it was read. */
export interface SentEvent {
  id: string
  seq: string
  count: number
}

/**
 * Acknowledged events whose mark did not come about, because somebody has the row locked or the database did not answer.
 * They are marked later, and until then not read again: only the end of this process makes duplicates of them.
 */
export interface LateMarks {
  /** Of all of them. */
  seqs(): string[]
  /** So many that nothing more may be sent before some are marked. */
  isFull(): boolean
  /** Those that may be tried now: all, or none while it is too early. */
  ready(): SentEvent[]
  /** Takes in what became of these marks; `undefined`: nothing is known of any. */
  settle(tried: readonly SentEvent[], result: MarkResult | undefined): void
  /** The next try need not wait. */
  hurry(): void
  /** ms until the next try; undefined when none waits. */
  nextMs(): number | undefined
}

// A read carries their numbers as a parameter.
const MAX_EVENTS = 5000

export function lateMarks(): LateMarks {
  const late = new Map<string, SentEvent>()
  let failures = 0
  let until = 0
  return {
    seqs: () => [...late.keys()],
    isFull: () => late.size >= MAX_EVENTS,
    ready: () => (performance.now() < until ? [] : [...late.values()]),
    settle(tried, result) {
      const locked = result === undefined ? undefined : new Set(result.locked)
      let settled = 0
      for (const { id, seq, count } of tried) {
        if (locked === undefined || locked.has(id)) late.set(seq, { id, seq, count })
        else if (late.delete(seq)) settled++
      }
      if (settled > 0 || late.size === 0) failures = 0
      until = late.size === 0 ? 0 : performance.now() + backoffMs(failures++, { firstMs: 50, lastMs: 3000 })
    },
    hurry() {
      until = 0
    },
    nextMs: () => (late.size === 0 ? undefined : Math.max(0, until - performance.now()))
  }
}
