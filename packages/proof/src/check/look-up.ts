import type { EventRow, Evidence, InboxRow, LogRecord, NoteEffect } from './evidence.ts'

export type ServiceName = 'market' | 'deploy'
export const SERVICES: readonly ServiceName[] = ['market', 'deploy']

/** Types of the events that the workload causes. */
export const ORDERED = 'proof.note.written'
const NOTES = new Set([ORDERED, 'proof.note.amended', 'proof.pin.set', 'proof.note.lost', 'proof.note.forbidden'])
/** Whether an event is a note: of any form, in order with the others of its key. */
export const isNote = (type: string): boolean => NOTES.has(type)
export const REQUESTED = 'market.deployment.requested'
/** A topic that nobody has created. */
export const MISSING_TOPIC = 'proof.nowhere'
/** A topic that exists, and to which the broker lets nobody write. */
export const FORBIDDEN_TOPIC = 'proof.forbidden'
/** Topics to which no event can come. */
export const CLOSED_TOPICS: ReadonlySet<string> = new Set([MISSING_TOPIC, FORBIDDEN_TOPIC])
/** Tags of the notes that market writes by itself begin with it. */
export const OWN_TAG = 'own-'
/** Types of deploy's business answers begin with it. */
export const ANSWER_PREFIX = 'deploy.deployment.'

/** The evidence with its indexes. */
export interface LookUp extends Evidence {
  /** Event rows of both services by id. */
  eventById: ReadonlyMap<string, EventRow>
  /** Inbox rows of each service by event id. */
  inboxById: Record<ServiceName, ReadonlyMap<string, InboxRow[]>>
  recordsById: ReadonlyMap<string, LogRecord[]>
  effectsById: ReadonlyMap<string, NoteEffect[]>
  /** Places of records that the harness produced as poison. */
  poison: ReadonlySet<string>
}

export function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}

export const placeOf = ({ topic, partition, offset }: Pick<LogRecord, 'topic' | 'partition' | 'offset'>) =>
  `${topic}:${partition}:${offset}`

export function lookUp(evidence: Evidence): LookUp {
  const { market, deploy, log, journal } = evidence
  const poisonKeys = new Set(journal.flatMap(entry => (entry.kind === 'poison' ? [entry.key] : [])))
  const eventById = new Map([...market.events, ...deploy.events].map(event => [event.id, event]))
  const named = (rows: readonly InboxRow[]) => rows.map(row => underItsEvent(row, eventById))
  const inbox = { market: named(market.inbox), deploy: named(deploy.inbox) }
  const byEvent = (rows: readonly InboxRow[]) => groupBy(rows, row => row.event_id)
  return {
    ...evidence,
    market: { ...market, inbox: inbox.market },
    deploy: { ...deploy, inbox: inbox.deploy },
    eventById,
    inboxById: { market: byEvent(inbox.market), deploy: byEvent(inbox.deploy) },
    recordsById: groupBy(
      log.filter(record => record.id !== '' && !record.poison),
      record => record.id
    ),
    effectsById: groupBy(deploy.effects, effect => effect.event_id),
    poison: new Set(log.filter(record => record.poison || poisonKeys.has(record.key)).map(placeOf))
  }
}

/** A record that names the id of an event of another source, type or topic is another event: one of the two stands under another id. */
function underItsEvent(row: InboxRow, eventById: ReadonlyMap<string, EventRow>): InboxRow {
  const id = row.envelope?.id ?? row.event_id
  const event = eventById.get(id)
  const isIts = event?.source === row.source && event.type === row.type && event.topic === row.topic
  if (event !== undefined && isIts !== (id === row.event_id))
    return { ...row, event_id: isIts ? id : `${id} of ${row.source}, ${row.type}`, row_id: row.event_id }
  return row
}

/** Whether a row waits behind one of a type that nobody knows, which stays so for the whole patience. */
export const waitsForUnknown = (row: InboxRow, rows: readonly InboxRow[]): boolean =>
  row.state === 'BLOCKED' &&
  rows.some(
    head =>
      head.state === 'UNKNOWN' &&
      !isNote(head.type) &&
      head.consumer === row.consumer &&
      head.topic === row.topic &&
      head.key === row.key &&
      BigInt(head.arrival) < BigInt(row.arrival)
  )

/** The events of whose rows at deploy a person did something, and when. */
export function deedsAtDeploy({ deploy }: LookUp, action: string): Map<string, Date> {
  const at = new Map(deploy.audit.flatMap(row => (row.action === action ? [[row.event_id, row.at]] : [])))
  return new Map(
    deploy.inbox.flatMap((row): [string, Date][] => {
      const when = at.get(row.row_id ?? row.event_id)
      return when === undefined ? [] : [[row.event_id, when]]
    })
  )
}

/** Makes the violations of one invariant. */
export function collector(invariant: number) {
  const violations: { invariant: number; text: string; eventIds: string[] }[] = []
  return {
    violations,
    add: (text: string, ...eventIds: string[]) => void violations.push({ invariant, text, eventIds })
  }
}
