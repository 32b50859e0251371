import type { Bounds, Violation } from '../evidence.ts'
import { collector, type LookUp } from '../look-up.ts'

/** Invariants 11 to 13: how processes and databases stand after healing, and how processes ended. */
export function checkHealth(look: LookUp): Violation[] {
  return [...checkIdle(look), ...checkExits(look), ...checkBaseline(look)]
}

/** Invariant 11. Zero idle-in-transaction sessions, everything ready, no uncaught exceptions, consumer lag 0. */
function checkIdle({ final, journal }: LookUp): Violation[] {
  const { add, violations } = collector(11)
  if (final.idleInTransaction > 0) add(`${final.idleInTransaction} sessions are idle in a transaction`)
  for (const [group, lag] of Object.entries(final.lag)) if (BigInt(lag) !== 0n) add(`group ${group} lags by ${lag}`)
  for (const reason of final.notReady) add(`not ready after healing: ${reason}`)
  for (const entry of journal) {
    if (entry.kind === 'uncaught') add(`uncaught at ${entry.target}: ${entry.text}`)
    if (entry.kind === 'exit' && entry.cause === 'none')
      add(`${entry.target} ended by itself, code ${entry.code}, signal ${entry.signal}`)
  }
  return violations
}

/** Invariant 12. Clean exit after SIGTERM within the deadline. */
function checkExits({ journal, bounds }: LookUp): Violation[] {
  const { add, violations } = collector(12)
  for (const entry of journal) {
    if (entry.kind !== 'exit' || entry.cause !== 'SIGTERM') continue
    if (entry.code !== 0) add(`${entry.target} ended with code ${entry.code}, signal ${entry.signal} after SIGTERM`)
    if (entry.tookMs > bounds.exitMs) add(`${entry.target} took ${entry.tookMs} ms to end after SIGTERM`)
  }
  return violations
}

/** So many dead rows an event table may keep: autovacuum's scale factor there is a hundredth. */
export const allowedDead = (live: number, { deadTuples }: Bounds) => deadTuples + live / 100

/** Invariant 13. Dead tuples and the cost of a claim return to baseline. */
function checkBaseline({ final, bounds }: LookUp): Violation[] {
  const { add, violations } = collector(13)
  for (const [service, { dead, live, told }] of Object.entries(final.vacuum))
    if (dead > allowedDead(live, bounds)) add(`the event table of ${service} keeps ${dead} dead rows; ${told}`)
  for (const [service, buffers] of Object.entries(final.claimBuffers))
    if (buffers > bounds.claimBuffers) add(`a look for due events at ${service} touches ${buffers} buffers`)
  return violations
}
