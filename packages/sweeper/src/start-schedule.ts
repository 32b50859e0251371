import type { FastifyBaseLogger } from 'fastify'
import type { SweepTally } from './create-sweeper.ts'

/**
 * Ticks every `intervalMs`, one tick at a time. A failure is logged and the next tick tries again. The timer is a
 * monotonic one, not a schedule of the calendar: a clock that jumps back would stop that, and one that jumps ahead make
 * it catch up on every second.
 *
 * @returns stops it
 */
export function startSchedule(intervalMs: number, tick: () => Promise<SweepTally>, log: FastifyBaseLogger): () => void {
  let failing = false
  let stopped = false
  let timer: NodeJS.Timeout | undefined

  async function run(): Promise<void> {
    try {
      const { resent, parked, purged } = await tick()
      failing = false
      if (resent.length + parked.length + purged > 0)
        log.info({ resent: resent.length, parked: parked.length, purged }, 'swept')
    } catch (error) {
      if (!failing) log.warn({ err: error }, 'the sweep failed; it tries again')
      failing = true
    }
    arm()
  }

  // A tenth down or nothing, so that processes which sweep the same tables drift apart.
  function arm(): void {
    if (!stopped) timer = setTimeout(run, intervalMs * (0.9 + Math.random() / 10)).unref()
  }

  arm()
  return () => {
    stopped = true
    clearTimeout(timer)
  }
}
