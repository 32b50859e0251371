import type { Violation } from '../evidence.ts'
import { collector, isNote, type LookUp, REQUESTED, SERVICES } from '../look-up.ts'

/**
 * Invariant 9. Counts reconcile: outbox = confirmed + resolved + parked + published awaiting nothing + in flight;
 * inbox = distinct effects; distinct ids in the log ⊇ published.
 */
export function checkCounts(look: LookUp): Violation[] {
  const { add, violations } = collector(9)
  for (const service of SERVICES) {
    const { events } = look[service]
    const known = events.filter(e => ['CONFIRMED', 'RESOLVED', 'PARKED', 'PUBLISHED', 'NEW'].includes(e.status)).length
    if (known !== events.length) add(`${service} has ${events.length} events, and statuses of ${known}`)
    for (const event of events) {
      if (event.published_at !== null && !look.recordsById.has(event.id))
        add(`${event.id} is published, and never stood in the log`, event.id)
      if ((event.published_at === null) !== (event.count === 0))
        add(`${event.id} has count ${event.count}, and published_at ${event.published_at?.toISOString()}`, event.id)
      if (event.status === 'CONFIRMED' && event.awaits_from === null)
        add(`${event.id} is CONFIRMED, and awaits nothing`, event.id)
    }
  }
  const { inbox, deployments, effects } = look.deploy
  const done = (fits: (type: string) => boolean) => inbox.filter(row => row.state === 'DONE' && fits(row.type)).length
  const requests = done(type => type === REQUESTED)
  if (requests !== deployments.length)
    add(`deploy has done ${requests} requests, and has ${deployments.length} deployments`)
  const distinct = new Set(effects.map(effect => effect.event_id)).size
  if (done(isNote) !== distinct) add(`deploy has done ${done(isNote)} notes, and has ${distinct} distinct effects`)
  return violations
}
