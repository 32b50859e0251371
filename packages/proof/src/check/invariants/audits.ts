import type { Violation } from '../evidence.ts'
import { collector, type LookUp, SERVICES, type ServiceName } from '../look-up.ts'

/** Invariant 14. Each administrative action has exactly one audit row; and so has each un-parking by the machine. */
export function checkAudits(look: LookUp): Violation[] {
  const { add, violations } = collector(14)
  for (const service of SERVICES) {
    for (const [deed, { done, unknown, audited, eventId }] of deedsOf(look, service)) {
      if (audited < done) add(`${deed} was done ${done} times, and has ${audited} audit rows`, eventId)
      if (audited > done + unknown) add(`${deed} has ${audited} audit rows, and was done ${done} times`, eventId)
    }
    const unparked = new Map<string, number>()
    for (const { event_id, from, to } of look[service].transitions)
      if (from === 'PARKED' && to === 'CONFIRMED') unparked.set(event_id, (unparked.get(event_id) ?? 0) + 1)
    for (const { action, event_id } of look[service].audit)
      if (action === 'unpark' && event_id !== null) unparked.set(event_id, (unparked.get(event_id) ?? 0) - 1)
    for (const [id, difference] of unparked)
      if (difference !== 0) add(`${id}: ${difference} more un-parkings than audit rows of them`, id)
  }
  return violations
}

interface Deeds {
  done: number
  unknown: number
  audited: number
  eventId: string
}

function deedsOf(look: LookUp, service: ServiceName): Map<string, Deeds> {
  const deeds = new Map<string, Deeds>()
  const count = (action: string, eventId: string, what: 'done' | 'unknown' | 'audited') => {
    const name = `${action} of ${eventId} at ${service}`
    const deed = deeds.get(name) ?? { done: 0, unknown: 0, audited: 0, eventId }
    deed[what] += 1
    deeds.set(name, deed)
  }
  for (const entry of look.journal) {
    if (entry.kind !== 'operator' || entry.service !== service) continue
    // a server's error may come after the COMMIT; a refusal never does
    if (entry.status === 'unknown' || entry.status >= 500) count(entry.action, entry.eventId, 'unknown')
    else if (entry.status < 300) count(entry.action, entry.eventId, 'done')
  }
  // Who only looks is in the audit too, and in no journal.
  for (const { actor, action, event_id } of look[service].audit)
    if (actor !== 'steadfast' && action !== 'view' && event_id !== null) count(action, event_id, 'audited')
  return deeds
}
