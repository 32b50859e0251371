/** What a loop needs to know. */
export interface LoopOptions {
  /** Pause when there was nothing to do, in ms. */
  idleMs: number
  /** Told of every failed round; the next one comes after a pause. */
  onError: (error: unknown) => void
}

/** One timer for any amount of work: runs `round` again at once while it found something, else after a pause. */
export function runLoop(round: () => Promise<boolean>, { idleMs, onError }: LoopOptions): { stop(): Promise<void> } {
  const stopping = new AbortController()
  const { signal } = stopping

  const pause = () =>
    new Promise<void>(resolve => {
      const timer = setTimeout(finish, idleMs)
      function finish() {
        clearTimeout(timer)
        signal.removeEventListener('abort', finish)
        resolve()
      }
      signal.addEventListener('abort', finish)
    })

  const run = async () => {
    while (!signal.aborted) {
      const busy = await round().catch(error => {
        onError(error)
        return false
      })
      if (!busy && !signal.aborted) await pause()
    }
  }
  const ended = run()
  return {
    stop() {
      stopping.abort()
      return ended
    }
  }
}
