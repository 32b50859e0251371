import cron from 'node-cron'

/** What makes a relay tick. */
export interface Schedule {
  /** Ticks at once, unless a tick runs already or something is backed off. */
  wake(): void
  stop(): void
}

export interface ScheduleOptions {
  /** Cron expression of the floor: whatever else fails, it ticks then. */
  expression: string
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

const silent = { info() {}, warn() {}, error() {}, debug() {} }

/** node-cron gives the beat, to the second; a timer and wakes make the relay faster than that. */
export function startSchedule({
  expression,
  pollIntervalMs,
  woken,
  waitMs,
  soonMs,
  run,
  failed
}: ScheduleOptions): Schedule {
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

  const task = cron.schedule(expression, wake, { unref: true, suppressMissedWarning: true, logger: silent })
  wake()
  return {
    wake,
    stop() {
      stopped = true
      clearTimeout(timer)
      void task.destroy()
    }
  }
}
