import type { EventStatus, Transition, Violation } from '../evidence.ts'
import { collector, groupBy, type LookUp, SERVICES } from '../look-up.ts'

const ALLOWED: Record<EventStatus, readonly EventStatus[]> = {
  NEW: ['PUBLISHED', 'CONFIRMED', 'PARKED'],
  PUBLISHED: ['CONFIRMED', 'PARKED'],
  PARKED: ['CONFIRMED', 'RESOLVED'],
  CONFIRMED: [],
  RESOLVED: []
}

/** Invariant 5. Status history is monotone; CONFIRMED is never left. Neither the count falls nor the confirmation changes. */
export function checkStatuses(look: LookUp): Violation[] {
  const { add, violations } = collector(5)
  for (const service of SERVICES) {
    const { transitions, events } = look[service]
    const signals = new Set(events.filter(({ type }) => type.startsWith('steadfast.')).map(({ id }) => id))
    const histories = groupBy(transitions, transition => transition.event_id)
    for (const [id, history] of histories) {
      for (const [index, transition] of history.entries()) {
        const problem = problemOf(transition, history[index - 1], signals.has(id))
        if (problem !== undefined) add(`${id} at ${service}: ${problem}`, id)
      }
    }
    for (const { id, status } of events) {
      const last = histories.get(id)?.at(-1)
      if (last !== undefined && last.to !== status)
        add(`${id} at ${service} is ${status}, and its history ends at ${last.to}`, id)
    }
  }
  return violations
}

function problemOf(
  { from, to, count, confirmed_by }: Transition,
  before: Transition | undefined,
  isSignal: boolean
): string | undefined {
  // One to a topic that does not exist is dropped.
  if (isSignal && from === 'NEW' && to === 'RESOLVED') return undefined
  if (from === null) return to === 'NEW' ? undefined : `was written as ${to}`
  if (from !== to && !ALLOWED[from].includes(to)) return `went from ${from} to ${to}`
  if (before !== undefined && before.to !== from) return `went on from ${from}, having been ${before.to}`
  if (before !== undefined && count < before.count) return `count fell from ${before.count} to ${count}`
  if (before !== undefined && before.to === 'CONFIRMED' && confirmed_by !== before.confirmed_by)
    return `its confirmation changed from ${before.confirmed_by} to ${confirmed_by}`
  return undefined
}
