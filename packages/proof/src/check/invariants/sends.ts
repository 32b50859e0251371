import type { EventRow, LogRecord, Violation } from '../evidence.ts'
import { CLOSED_TOPICS, collector, type LookUp, SERVICES } from '../look-up.ts'

/**
 * Invariant 7. Machine sends ≤ max_sends; count = acknowledged sends, each of which is in the log; parked by time-out
 * implies count = max_sends; any other parking has its reason, and what is for a topic that takes nothing has no other.
 */
export function checkSends(look: LookUp): Violation[] {
  const { add, violations } = collector(7)
  for (const service of SERVICES) {
    const resends = new Map<string, number>()
    for (const { action, event_id } of look[service].audit)
      if (action === 'resend' && event_id !== null) resends.set(event_id, (resends.get(event_id) ?? 0) + 1)
    for (const event of look[service].events) {
      const problem = problemOf(look, event, resends.get(event.id) ?? 0)
      if (problem !== undefined) add(`${event.id} (${event.type}): ${problem}`, event.id)
    }
  }
  return violations
}

function problemOf(look: LookUp, event: EventRow, resends: number): string | undefined {
  const { id, count, max_sends, awaits_from, status, park_reason, topic } = event
  const records = look.recordsById.get(id) ?? []
  if (CLOSED_TOPICS.has(topic)) return closedProblemOf(event, records)
  if (awaits_from !== null && count > max_sends + resends)
    return `sent ${count} times, ${max_sends} allowed and ${resends} asked for by a person`
  if (records.length < count) return `count is ${count}, and the log has ${records.length} records of it`
  const attempts = records.map(record => record.attempt)
  if (Math.max(0, ...attempts) > count + 1)
    return `count is ${count}, and a record says attempt ${Math.max(...attempts)}`
  if (park_reason === 'TOPIC_UNAVAILABLE') return `parked for ${topic}, which takes events`
  if (status !== 'PARKED') return undefined
  if (park_reason === null) return 'parked without a reason'
  if (park_reason === 'UNCONFIRMED' && count < max_sends) return `parked by time-out at count ${count} of ${max_sends}`
  if (park_reason === 'REFUSED') {
    const states = (look.inboxById.deploy.get(id) ?? []).map(row => row.state)
    const refused = look.deploy.events.some(e => e.type === 'steadfast.refused' && e.causation_id === id)
    if (!refused)
      return `parked as refused, and no refusal was stated; at deploy it is ${states.join(', ') || 'unknown'}`
  }
  return undefined
}

/** One that waits too long to be given up is invariant 6's. */
function closedProblemOf({ topic, status, count, park_reason }: EventRow, records: LogRecord[]): string | undefined {
  if (records.length + count > 0) return `${count} sends and ${records.length} records, and ${topic} takes nothing`
  if (status === 'NEW') return undefined
  if (status !== 'PARKED' && status !== 'RESOLVED') return `${status}, and ${topic} takes nothing`
  return park_reason === 'TOPIC_UNAVAILABLE' ? undefined : `parked as ${park_reason}, and ${topic} takes nothing`
}
