/** What makes a relay tick. */
export interface Schedule {
  /** Ticks at once, unless a tick runs already or something is backed off. */
  wake(): void
  stop(): void
}

export interface ScheduleOptions {
  /** Between two looks of an idle relay. */
  pollIntervalMs: number
  /** Whether a wake came in that the run has not seen. */
  woken(): boolean
  /** ms for which nothing may be tried. */
  waitMs(): number
  /** ms until something that was put off may be tried. */
  soonMs(): number | undefined
  run(): Promise<unknown>
  failed(error: unknown): void
}

/**
 * A timer gives the beat, and wakes make the relay faster than that. The timer is a monotonic one, not a schedule of the
 * calendar: a clock that jumps back would stop that, and one that jumps ahead make it catch up on every second.
 */
export function startSchedule({ pollIntervalMs, woken, waitMs, soonMs, run, failed }: ScheduleOptions): Schedule {
  let running = false
  let stopped = false
  let timer: NodeJS.Timeout | undefined

  function arm(): void {
    clearTimeout(timer)
    if (stopped) return
    const ms = Math.max(waitMs(), Math.min(pollIntervalMs, soonMs() ?? pollIntervalMs))
    timer = setTimeout(wake, Math.ceil(ms)).unref()
  }

  function wake(): void {
    if (running || stopped) return
    if (waitMs() > 0) {
      arm()
      return
    }
    running = true
    run()
      .catch(failed)
      .finally(() => {
        running = false
        if (woken()) wake()
        else arm()
      })
  }

  wake()
  return {
    wake,
    stop() {
      stopped = true
      clearTimeout(timer)
    }
  }
}
