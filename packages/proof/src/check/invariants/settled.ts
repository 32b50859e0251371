import type { EventRow, InboxRow, Violation } from '../evidence.ts'
import { collector, isNote, type LookUp, SERVICES, waitsForUnknown } from '../look-up.ts'

/** Invariant 6. After healing, no row stays unfinished longer than its deadlines + sweep interval + bound. */
export function checkSettled(look: LookUp): Violation[] {
  const { add, violations } = collector(6)
  const { final, bounds } = look
  const late = (since: Date | null) => since === null || since.getTime() + bounds.unfinishedMs < final.at
  for (const service of SERVICES) {
    for (const event of look[service].events) {
      const since = unfinishedSince(event)
      if (since !== undefined && late(since))
        add(`${event.id} (${event.type}) of ${service} is ${event.status}${event.due ? ', due' : ''}`, event.id)
    }
    for (const row of look[service].inbox) {
      const since = waitsForUnknown(row, look[service].inbox) ? undefined : unfinishedDeliverySince(row)
      if (since !== undefined && late(since))
        add(`${row.event_id} (${row.type}) is ${row.state} in the inbox of ${service}`, row.event_id)
    }
  }
  for (const { id, total, ended_at, stopped_at } of look.deploy.replays)
    if (ended_at === null && stopped_at === null) add(`replay ${id} of ${total} deliveries has not come to its end`)
  const requests = new Map(look.market.events.map(event => [event.key, event]))
  for (const { id, status } of look.market.orders) {
    const request = requests.get(id)
    if (request === undefined || (status !== 'PLACED' && status !== 'DELAYED')) continue
    if (request.status === 'CONFIRMED') add(`order ${id} is ${status}, and its request is CONFIRMED`, request.id)
    const isOver = request.status === 'RESOLVED' || (request.status === 'PARKED' && status === 'PLACED')
    if (isOver && late(request.updated_at))
      add(
        `request ${request.id} is ${request.status}, and its order ${id} was told nothing: it is ${status}`,
        request.id
      )
  }
  return violations
}

/** Undefined: the machine has nothing more to do with it. */
function unfinishedSince(event: EventRow): Date | null | undefined {
  if (event.due || event.status === 'NEW') return event.updated_at
  return event.status === 'PUBLISHED' && event.awaits_from !== null ? event.deadline : undefined
}

function unfinishedDeliverySince(row: InboxRow): Date | undefined {
  if (row.state === 'RETRY') return row.due_at ?? row.updated_at
  // A process of the newest version knows every note.
  if (row.state === 'UNKNOWN') return isNote(row.type) ? row.updated_at : undefined
  return row.state === 'BLOCKED' ? row.updated_at : undefined
}
