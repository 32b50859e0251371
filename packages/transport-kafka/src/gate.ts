/** Where batches wait for room, first come, first served, so that partitions take turns. */
export interface Gate {
  readonly waiting: number
  /** Resolves when it is this caller's turn to look again whether there is room. */
  wait(): Promise<void>
  wakeOne(): void
  wakeAll(): void
  /** Rejects everybody who waits. */
  fail(error: Error): void
}

interface Waiter {
  resolve: () => void
  reject: (error: Error) => void
}

/** An empty gate. */
export function createGate(): Gate {
  let waiters: Waiter[] = []
  const takeAll = () => {
    const all = waiters
    waiters = []
    return all
  }
  return {
    get waiting() {
      return waiters.length
    },
    wait: () => new Promise((resolve, reject) => waiters.push({ resolve, reject })),
    wakeOne: () => waiters.shift()?.resolve(),
    wakeAll() {
      for (const { resolve } of takeAll()) resolve()
    },
    fail(error) {
      for (const { reject } of takeAll()) reject(error)
    }
  }
}
