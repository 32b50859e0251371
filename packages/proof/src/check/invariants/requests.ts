import type { Violation } from '../evidence.ts'
import { collector, groupBy, isNote, type LookUp, OWN_TAG, REQUESTED } from '../look-up.ts'

/** Statuses that say nothing for good: the same request may yet succeed, or has. */
const UNDECIDED = new Set([408, 409, 425, 429])

interface Request {
  tag: string
  action: 'order' | 'note'
  acknowledged: (string | undefined)[]
  /** A definite no, and nothing else. */
  refused: boolean
}

function requestsOf({ journal }: LookUp): Map<string, Request> {
  const requests = new Map<string, Request>()
  for (const entry of journal) {
    if (entry.kind === 'request' && !requests.has(entry.tag))
      requests.set(entry.tag, { tag: entry.tag, action: entry.action, acknowledged: [], refused: false })
    if (entry.kind !== 'answer') continue
    const request = requests.get(entry.tag)
    if (request === undefined || entry.status === 'unknown') continue
    if (entry.status < 300) request.acknowledged.push(entry.id)
    else if (entry.status < 500 && !UNDECIDED.has(entry.status)) request.refused = true
  }
  return requests
}

/** A business row, and the outbox rows that announce it. */
interface Stated {
  id: string
  eventIds: string[]
}

function statedOf(look: LookUp): Record<Request['action'], Map<string, Stated[]>> {
  const { orders, notes, events } = look.market
  const requested = groupBy(
    events.filter(event => event.type === REQUESTED),
    event => event.key
  )
  const byTag = <T extends { tag: string }>(rows: T[], stated: (row: T) => Stated) =>
    new Map([...groupBy(rows, row => row.tag)].map(([tag, group]) => [tag, group.map(stated)]))
  return {
    order: byTag(orders, ({ id }) => ({ id, eventIds: (requested.get(id) ?? []).map(event => event.id) })),
    note: byTag(notes, ({ event_id }) => ({
      id: event_id,
      eventIds: look.eventById.has(event_id) ? [event_id] : []
    }))
  }
}

/**
 * Invariant 1. Every 2xx has its business row and its outbox row, once. Every definite error has neither. Unknown
 * outcomes have both or neither.
 */
export function checkRequests(look: LookUp): Violation[] {
  const { add, violations } = collector(1)
  const requests = requestsOf(look)
  const stated = statedOf(look)
  for (const { tag, action, acknowledged, refused } of requests.values()) {
    const rows = stated[action].get(tag) ?? []
    const ids = rows.flatMap(row => row.eventIds)
    const name = `${action} ${tag}`
    if (acknowledged.length > 0 && rows.length === 0) add(`${name} was acknowledged, and there is no row of it`)
    if (acknowledged.length === 0 && refused && rows.length > 0) add(`${name} was refused, and has a row`, ...ids)
    if (rows.length > 1) add(`${name} was done ${rows.length} times`, ...ids)
    for (const { id, eventIds } of rows) {
      if (eventIds.length !== 1) add(`${name}: row ${id} has ${eventIds.length} outbox rows`, ...eventIds)
    }
    const known = rows.map(row => row.id)
    const wrong = acknowledged.filter(id => id !== undefined && rows.length > 0 && !known.includes(id))
    if (wrong.length > 0) add(`${name} was acknowledged as ${wrong}, and its row is ${known}`, ...ids)
  }
  for (const action of ['order', 'note'] as const)
    for (const [tag, rows] of stated[action]) {
      if (!requests.has(tag) && !tag.startsWith(OWN_TAG))
        add(`${action} ${tag} was asked for by nobody`, ...rows.flatMap(row => row.eventIds))
    }
  const announced = new Set([...stated.order.values(), ...stated.note.values()].flat().flatMap(row => row.eventIds))
  for (const { id, type } of look.market.events) {
    if ((type === REQUESTED || isNote(type)) && !announced.has(id))
      add(`outbox row ${id} (${type}) has no business row`, id)
  }
  return violations
}
