/** Lets deliveries through while the world is right; see {@link createGate}. */
export interface Gate {
  /** Resolves when the caller may run: at once, or as the probe, or when the gate opens. Rejects when it is closed for good. */
  enter(): Promise<Pass>
  /** Whether a delivery that nobody waits for may run now. */
  isOpen(): boolean
  /** Counts a key that failed. Returns true when it is one too many: the gate is closed now. */
  failing(key: string, error: unknown): boolean
  reason(): string | undefined
  /** Rejects all who wait. */
  end(): void
}

/** The right to run once. Exactly one of its functions is called when the run is over. */
export interface Pass {
  /** Something got through, or a verdict was given. */
  good(): void
  /** The world is wrong. */
  bad(error: unknown): void
  /** It says nothing about the world. */
  neutral(): void
}

/** Failures further apart have nothing to do with each other. */
const TOGETHER_MS = 60_000

/**
 * Pauses a group when the world, not an event, is wrong: one delivery at a time goes through as a probe, after
 * `pauseMs` that double up to `pauseMaxMs`; the first that succeeds opens the gate.
 */
export function createGate(options: {
  pauseAfterKeys: number
  pauseMs: number
  pauseMaxMs: number
  onClose(error: unknown): void
  onOpen(): void
  /** Nobody waits to be the probe: deliveries are wanted. */
  onStarve(): void
}): Gate {
  const failed = new Map<string, number>()
  let waiting: { resolve(pass: Pass): void; reject(error: Error): void }[] = []
  let closed: { error: unknown; pauseMs: number; probe: 'waiting' | 'free' | 'out' } | undefined
  let timer: NodeJS.Timeout | undefined
  let ended = false

  function close(error: unknown): void {
    if (closed !== undefined || ended) return
    closed = { error, pauseMs: options.pauseMs, probe: 'waiting' }
    timer = setTimeout(probe, closed.pauseMs)
    options.onClose(error)
  }

  function probe(): void {
    if (closed === undefined) return
    const first = waiting.shift()
    closed.probe = first === undefined ? 'free' : 'out'
    if (first === undefined) options.onStarve()
    else first.resolve(pass(true))
  }

  function open(): void {
    failed.clear()
    if (closed === undefined) return
    closed = undefined
    clearTimeout(timer)
    options.onOpen()
    for (const { resolve } of waiting.splice(0)) resolve(pass(false))
  }

  function again(longer: boolean): void {
    if (closed === undefined || ended) return
    if (longer) closed.pauseMs = Math.min(closed.pauseMs * 2, options.pauseMaxMs)
    closed.probe = 'waiting'
    timer = setTimeout(probe, closed.pauseMs)
  }

  const pass = (isProbe: boolean): Pass => ({
    good: open,
    bad(error) {
      close(error)
      if (isProbe) again(true)
    },
    neutral() {
      if (isProbe) again(false)
    }
  })

  return {
    enter() {
      if (ended) return Promise.reject(new Error('closing'))
      if (closed === undefined) return Promise.resolve(pass(false))
      if (closed.probe === 'free') {
        closed.probe = 'out'
        return Promise.resolve(pass(true))
      }
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }))
    },
    isOpen: () => closed === undefined && !ended,
    failing(key, error) {
      const now = Date.now()
      for (const [k, at] of failed) if (now - at > TOGETHER_MS) failed.delete(k)
      failed.set(key, now)
      if (closed === undefined && failed.size >= options.pauseAfterKeys) close(error)
      return closed !== undefined
    },
    reason: () =>
      closed === undefined ? undefined : String((closed.error as Error | undefined)?.message ?? closed.error),
    end() {
      ended = true
      clearTimeout(timer)
      for (const { reject } of waiting) reject(new Error('closing'))
      waiting = []
    }
  }
}
