import type { FastifyBaseLogger } from 'fastify'
import cron from 'node-cron'
import type { SweepTally } from './create-sweeper.ts'

const silent = { info() {}, warn() {}, error() {}, debug() {} }
// Processes that sweep the same tables share the second, not the millisecond.
const SPREAD_MS = 300

/**
 * Ticks every `intervalMs`, to the second, by node-cron; one at a time. A failure is logged and the next tick tries
 * again.
 *
 * @returns stops it
 */
export function startSchedule(intervalMs: number, tick: () => Promise<SweepTally>, log: FastifyBaseLogger): () => void {
  const everySeconds = Math.max(1, Math.round(intervalMs / 1000))
  let second = 0
  let failing = false

  async function run(): Promise<void> {
    if (second++ % everySeconds !== 0) return
    try {
      const { resent, parked, purged } = await tick()
      failing = false
      if (resent.length + parked.length + purged > 0)
        log.info({ resent: resent.length, parked: parked.length, purged }, 'swept')
      if (parked.length > 0) log.warn({ eventIds: parked.slice(0, 20) }, 'events were parked: not confirmed in time')
    } catch (error) {
      if (!failing) log.warn({ err: error }, 'the sweep failed; it tries again')
      failing = true
    }
  }

  const task = cron.schedule('* * * * * *', run, {
    noOverlap: true,
    maxRandomDelay: SPREAD_MS,
    unref: true,
    suppressMissedWarning: true,
    logger: silent
  })
  return () => void task.destroy()
}
