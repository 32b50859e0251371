import type { EventRow, InboxRow, Violation } from '../evidence.ts'
import {
  ANSWER_PREFIX,
  collector,
  isNote,
  type LookUp,
  placeOf,
  REQUESTED,
  SERVICES,
  waitsForUnknown
} from '../look-up.ts'

const states = (rows: readonly InboxRow[]) => rows.map(row => row.state).join(', ') || 'none'

/**
 * Invariant 2. Every committed outbox row has exactly one downstream effect per consumer, or is parked, refused or held;
 * and an effect stands together with its inbox row.
 */
export function checkEffects(look: LookUp): Violation[] {
  return [...checkRequestEffects(look), ...checkAnswerEffects(look), ...checkPoison(look)]
}

function checkRequestEffects(look: LookUp): Violation[] {
  const { add, violations } = collector(2)
  const deployed = new Map<string, number>()
  for (const { id } of look.deploy.deployments) deployed.set(id, (deployed.get(id) ?? 0) + 1)
  const effectsOf = ({ id, type }: EventRow) =>
    isNote(type) ? (look.effectsById.get(id)?.length ?? 0) : (deployed.get(id) ?? 0)
  for (const event of look.market.events) {
    if (!isNote(event.type) && event.type !== REQUESTED) continue
    const { id, status } = event
    const effects = effectsOf(event)
    const inbox = look.inboxById.deploy.get(id) ?? []
    const done = inbox.filter(row => row.state === 'DONE').length
    if (effects > 1) add(`${id} had its effect ${effects} times`, id)
    if (effects !== done && effects <= 1)
      add(`${id} has ${effects} effects, and its inbox rows at deploy are: ${states(inbox)}`, id)
    const stopped = inbox.some(row => row.state === 'REFUSED' || row.state === 'HELD')
    if (effects === 0 && !stopped && status !== 'PARKED' && status !== 'RESOLVED')
      add(`${id} is ${status} and has no effect, nor is it parked, refused or held`, id)
    const blamed = inbox.find(row => row.state === 'REFUSED' && row.error?.code?.startsWith('SF_INBOX_'))
    if (blamed !== undefined)
      add(`${id} is one that deploy knows, and was refused by ${blamed.error?.code}: ${blamed.error?.message}`, id)
    if (effects === 0 && status === 'CONFIRMED') add(`${id} is CONFIRMED without an effect`, id)
  }
  const byOrder = new Map<string, string[]>()
  for (const { id, order_id } of look.deploy.deployments) byOrder.set(order_id, [...(byOrder.get(order_id) ?? []), id])
  for (const [order, ids] of byOrder) {
    if (ids.length > 1) add(`order ${order} was deployed ${ids.length} times`, ...ids)
  }
  return violations
}

/** An answer may be lost with the log: then its request is asked again, and the answer comes again. */
function checkAnswerEffects(look: LookUp): Violation[] {
  const { add, violations } = collector(2)
  const orders = new Map(look.market.orders.map(order => [order.id, order]))
  for (const answer of look.deploy.events) {
    if (!answer.type.startsWith(ANSWER_PREFIX)) continue
    const { id, key, causation_id } = answer
    const inbox = look.inboxById.market.get(id) ?? []
    const request = causation_id === null ? undefined : look.eventById.get(causation_id)
    const given = request?.status === 'PARKED' || request?.status === 'RESOLVED'
    if (inbox.length === 0 && !given) add(`answer ${id} never reached market`, id, ...(request ? [request.id] : []))
    if (inbox.length > 1) add(`answer ${id} has ${inbox.length} inbox rows at market`, id)
    const done = inbox.some(row => row.state === 'DONE')
    const order = orders.get(key)
    if (done && order?.status === 'PLACED') add(`answer ${id} is done at market, and its order is still open`, id)
    if (done && request !== undefined && request.status !== 'CONFIRMED' && request.status !== 'RESOLVED')
      add(`answer ${id} is done at market, and its request is ${request.status}`, id, request.id)
  }
  const answered = new Set(look.deploy.events.filter(e => e.type.startsWith(ANSWER_PREFIX)).map(e => e.causation_id))
  for (const { id, status } of look.deploy.deployments) {
    if (status !== 'WORKING' && !answered.has(id)) add(`deployment ${id} is ${status}, and no answer says so`, id)
    if (status === 'WORKING' && answered.has(id)) add(`deployment ${id} is at work, and an answer says it ended`, id)
  }
  return violations
}

/**
 * What is no event, or none for this service, is kept by whoever reads its topic: refused, or left for who knows it. Of two
 * records of one identity the second is a duplicate.
 */
function checkPoison(look: LookUp): Violation[] {
  const { add, violations } = collector(2)
  const isKept = (row: InboxRow, rows: readonly InboxRow[]) =>
    row.state === 'REFUSED' || row.state === 'UNKNOWN' || waitsForUnknown(row, rows)
  const kept = SERVICES.flatMap(service => look[service].inbox.filter((row, _, rows) => isKept(row, rows)))
  const places = new Set(kept.map(row => `${row.topic}:${row.position}`))
  const identities = new Set(kept.map(row => identityOf(row, row.envelope?.id ?? '')))
  for (const record of look.log) {
    const place = placeOf(record)
    if (!look.poison.has(place) || record.deleted || places.has(place)) continue
    if (record.id === '' || !identities.has(identityOf(record, record.id)))
      add(`the poison at ${place} stands in no inbox as refused`)
  }
  return violations
}

const identityOf = ({ topic, source, type }: { topic: string; source: string; type: string }, id: string) =>
  JSON.stringify([topic, source, type, id])
