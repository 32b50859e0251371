/** A wait that can be ended early; one at a time. */
export interface Nap {
  /** Resolves after `ms`, or when it is ended. */
  take(ms: number): Promise<void>
  end(): void
}

export function createNap(): Nap {
  let end: () => void = () => undefined
  return {
    take: ms =>
      new Promise(resolve => {
        const timer = setTimeout(resolve, ms)
        end = () => {
          clearTimeout(timer)
          resolve()
        }
      }),
    end: () => end()
  }
}

/** Waits for what is handed out to be done. */
export interface Drain {
  /** Resolves when {@link end} is called, or after `ms`. */
  wait(ms: number): Promise<void>
  /** Nothing is out any more. */
  end(): void
}

export function createDrain(): Drain {
  const naps = new Set<Nap>()
  return {
    async wait(ms) {
      const nap = createNap()
      naps.add(nap)
      await nap.take(ms)
      naps.delete(nap)
    },
    end() {
      for (const nap of naps) nap.end()
    }
  }
}
