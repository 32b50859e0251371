import { UNANSWERED_TOPIC } from '@steadfast/store/internal'
import type { Violation } from '../evidence.ts'
import { collector, type LookUp } from '../look-up.ts'

/** Invariant 3. Every effect, inbox row and reply traces back to a committed outbox row. */
export function checkTraces(look: LookUp): Violation[] {
  const { add, violations } = collector(3)
  const { market, deploy, eventById } = look
  const requested = new Map(market.events.map(event => [event.id, event]))
  const replied = new Map(deploy.events.map(event => [event.id, event]))
  for (const { id } of deploy.deployments)
    if (!requested.has(id)) add(`deployment ${id} was requested by no committed event`, id)
  for (const { event_id } of deploy.effects)
    if (!requested.has(event_id)) add(`an effect of ${event_id}, which no outbox row states`, event_id)
  for (const [name, rows, senders] of [
    ['deploy', deploy.inbox, requested],
    ['market', market.inbox, replied]
  ] as const)
    for (const { event_id, state, topic, position } of rows) {
      if (topic === UNANSWERED_TOPIC) continue
      if (!senders.has(event_id) && !look.poison.has(`${topic}:${position}`))
        add(`inbox row ${event_id} (${state}) of ${name} belongs to no outbox row`, event_id)
    }
  checkReactions(look, add)
  for (const { id, type, causation_id } of [...deploy.events, ...market.events]) {
    if (causation_id !== null && !eventById.has(causation_id) && !isPoisoned(look, causation_id))
      add(`${type} ${id} replies to ${causation_id}, which no outbox row states`, id)
  }
  for (const { id, status, confirmed_by } of market.events) {
    if (status === 'CONFIRMED' && (confirmed_by === null || !replied.has(confirmed_by)))
      add(`${id} is CONFIRMED by ${confirmed_by}, which no outbox row states`, id)
    if (status === 'CONFIRMED' && confirmed_by !== null && (replied.get(confirmed_by)?.causation_id ?? id) !== id)
      add(`${id} is CONFIRMED by ${confirmed_by}, which replies to another event`, id, confirmed_by)
  }
  return violations
}

/** A service tells itself of its own requests that nobody answers: of each change once. */
function checkReactions({ market, deploy }: LookUp, add: (text: string, ...ids: string[]) => void): void {
  for (const { inbox, events } of [market, deploy]) {
    const own = new Map(events.map(event => [event.id, event]))
    const told = new Set<string>()
    for (const { event_id, topic, causation_id, envelope } of inbox) {
      if (topic !== UNANSWERED_TOPIC) continue
      const request = causation_id ?? ''
      if (own.get(request)?.awaits_from == null)
        add(`${event_id} tells of ${request}, which awaits no answer`, event_id)
      const change = `${request} ${envelope?.unanswered?.status} ${envelope?.unanswered?.reason}`
      if (told.has(change)) add(`${event_id} tells of ${change} once more`, event_id, request)
      told.add(change)
    }
  }
}

/** A poison record that looks like an event may be refused by a reply of its own. */
function isPoisoned({ deploy, market, poison }: LookUp, id: string): boolean {
  return [...deploy.inbox, ...market.inbox].some(
    row => row.event_id === id && poison.has(`${row.topic}:${row.position}`)
  )
}
