/** How many stored answers may go out again. */
export interface ReplayBudget {
  /** So many now. */
  left(): number
  spend(count: number): void
}

/** So many each second; what is not used within a second is gone. */
export function replayBudget(perSecond: number): ReplayBudget {
  let left = perSecond
  let at = performance.now()
  return {
    left() {
      const now = performance.now()
      left = Math.min(perSecond, left + ((now - at) / 1000) * perSecond)
      at = now
      return Math.max(0, Math.floor(left))
    },
    spend(count) {
      left -= count
    }
  }
}

export const UNBOUNDED: ReplayBudget = { left: () => Number.MAX_SAFE_INTEGER, spend() {} }
