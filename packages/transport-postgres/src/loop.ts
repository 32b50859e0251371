import { backoffMs } from '@steadfast/events/runtime'
/** Something that is done again and again. */
export interface Loop {
  /** Does it soon; during a run, once more after it. A pause after a failure is not cut short. */
  poke(): void
  /** Resolves when the first run is over, well or not. */
  readonly begun: Promise<void>
  /** No further run; resolves when the current one is over. Idempotent. */
  stop(): Promise<void>
}

export interface LoopOptions {
  /** One run. Resolves with the milliseconds until the next one; `Infinity`: when poked. */
  run(): Promise<number>
  onError(error: Error): void
  /** Least time from a poke to the run, so that many pokes make one run. @default 0 */
  gatherMs?: number
}

const FIRST_BACKOFF_MS = 50
const LAST_BACKOFF_MS = 1000

/** Starts a loop at once. After a failure it waits: 50 ms, doubling to a second, with jitter. */
export function startLoop({ run, onError, gatherMs = 0 }: LoopOptions): Loop {
  let stopped = false
  let poked = false
  let failures = 0
  let wake: (() => void) | undefined
  let end: (() => void) | undefined
  let begin: () => void = () => {}
  const begun = new Promise<void>(resolve => {
    begin = resolve
  })

  function sleep(ms: number, pokeable: boolean): Promise<void> {
    return new Promise(resolve => {
      const timer = ms === Number.POSITIVE_INFINITY ? undefined : setTimeout(done, ms)
      function done() {
        clearTimeout(timer)
        wake = end = undefined
        resolve()
      }
      end = done
      if (pokeable) wake = done
    })
  }

  async function rest(waitMs: number): Promise<void> {
    if (failures > 0)
      return sleep(backoffMs(failures - 1, { firstMs: FIRST_BACKOFF_MS, lastMs: LAST_BACKOFF_MS }), false)
    if (!poked && waitMs > 0) await sleep(waitMs, true)
    if (gatherMs > 0 && !stopped) await sleep(gatherMs, false)
  }

  async function cycle(): Promise<void> {
    while (!stopped) {
      poked = false
      let waitMs = 0
      try {
        waitMs = await run()
        failures = 0
      } catch (error) {
        failures++
        onError(error as Error)
      }
      begin()
      if (!stopped) await rest(waitMs)
    }
  }

  const cycling = cycle()
  return {
    begun,
    poke() {
      poked = true
      wake?.()
    },
    stop() {
      stopped = true
      end?.()
      return cycling
    }
  }
}
