import type { EventRow, JournalEntry } from './evidence.ts'
import { type LookUp, placeOf, SERVICES } from './look-up.ts'

/** Faults so long before and after an event's life belong to its story. */
const AROUND_MS = 3000
const MAX_LINES = 150

interface Line {
  at: number
  text: string
}

/** Everything known of some events in the order of time: rows, changes, records, deeds of persons, faults around them. */
export function tellStory(look: LookUp, ids: readonly string[]): string {
  const about = relatives(look, ids)
  const lines = [...rowLines(look, about), ...recordLines(look, about), ...requestLines(look, about)]
  const times = lines.map(line => line.at)
  const [from, to] = [Math.min(...times) - AROUND_MS, Math.max(...times) + AROUND_MS]
  lines.push(...faultLines(look.journal, from, to))
  lines.sort((a, b) => a.at - b.at)
  const shown = lines.slice(0, MAX_LINES).map(({ at, text }) => `  ${new Date(at).toISOString().slice(11, 23)} ${text}`)
  return [...shown, ...(lines.length > MAX_LINES ? [`  … ${lines.length - MAX_LINES} lines more`] : [])].join('\n')
}

/** The events, what caused them, and what they caused. */
function relatives({ market, deploy }: LookUp, ids: readonly string[]): Set<string> {
  const about = new Set(ids)
  for (const { id, causation_id } of [...market.events, ...deploy.events]) {
    if (causation_id === null) continue
    if (ids.includes(causation_id)) about.add(id)
    if (ids.includes(id)) about.add(causation_id)
  }
  return about
}

const describeRow = (e: EventRow) =>
  `${e.type} ${e.id} seq ${e.seq} key ${e.key}: now ${e.status}${e.due ? ' due' : ''} count ${e.count}/${e.max_sends}${e.confirmed_by === null ? '' : ` confirmed by ${e.confirmed_by}`}${e.park_reason === null ? '' : ` ${e.park_reason}: ${e.last_error}`}`

function* serviceLines(look: LookUp, service: 'market' | 'deploy', about: Set<string>): Generator<Line> {
  const { events, inbox, audit, transitions } = look[service]
  for (const e of events)
    if (about.has(e.id)) yield { at: e.created_at.getTime(), text: `${service} outbox: ${describeRow(e)}` }
  for (const t of transitions) {
    const text = `${service} outbox: ${t.event_id} ${t.from ?? 'written'} → ${t.to}${t.due ? ' due' : ''} count ${t.count}`
    if (about.has(t.event_id)) yield { at: t.at.getTime(), text }
  }
  for (const row of inbox) {
    if (!about.has(row.event_id)) continue
    const text = `${service} inbox: ${row.event_id} arrived as ${row.arrival} at ${row.topic}:${row.position}`
    yield { at: row.received_at.getTime(), text }
    const error = row.error === null ? '' : `: ${row.error.code ?? ''} ${row.error.message ?? ''}`
    const now = `${service} inbox: ${row.event_id} now ${row.state}, outcome ${row.outcome}, ${row.attempts} attempts${error}`
    yield { at: row.updated_at.getTime(), text: now }
  }
  for (const { at, actor, action, event_id, note } of audit)
    if (event_id !== null && about.has(event_id))
      yield { at: at.getTime(), text: `${service} audit: ${actor} ${action} ${event_id} ${note ?? ''}` }
}

function rowLines(look: LookUp, about: Set<string>): Line[] {
  const effects = look.deploy.effects.filter(effect => about.has(effect.event_id))
  return [
    ...SERVICES.flatMap(service => [...serviceLines(look, service, about)]),
    ...effects.map(({ at, event_id, key, n, applied }) => ({
      at: at.getTime(),
      text: `deploy effect ${applied}: note ${n} of ${key} by ${event_id}`
    }))
  ]
}

function recordLines(look: LookUp, about: Set<string>): Line[] {
  return look.log
    .filter(record => about.has(record.id))
    .map(record => ({
      at: record.timestamp.getTime(),
      text: `log: ${record.type} ${record.id} at ${placeOf(record)} attempt ${record.attempt}${record.replay ? ' replay' : ''}${record.deleted ? ', deleted by the harness' : ''}`
    }))
}

function requestLines(look: LookUp, about: Set<string>): Line[] {
  const keys = new Set([...about].map(id => look.eventById.get(id)?.key))
  const tags = new Set([
    ...look.market.orders.filter(order => keys.has(order.id)).map(order => order.tag),
    ...look.market.notes.filter(note => about.has(note.event_id)).map(note => note.tag)
  ])
  return look.journal.flatMap(entry => {
    if (entry.kind === 'request' && tags.has(entry.tag))
      return [{ at: entry.at, text: `client: ${entry.action} ${entry.tag} ${JSON.stringify(entry.detail)}` }]
    if (entry.kind === 'answer' && tags.has(entry.tag))
      return [{ at: entry.at, text: `client: ${entry.tag} was answered ${entry.status} ${entry.id ?? ''}` }]
    if (entry.kind === 'operator' && about.has(entry.eventId))
      return [{ at: entry.at, text: `operator: ${entry.action} ${entry.eventId} answered ${entry.status}` }]
    return []
  })
}

function faultLines(journal: readonly JournalEntry[], from: number, to: number): Line[] {
  return journal.flatMap(entry => {
    if (entry.at < from || entry.at > to) return []
    if (entry.kind === 'fault') {
      const detail = entry.detail === undefined ? '' : ` ${JSON.stringify(entry.detail)}`
      return [{ at: entry.at, text: `FAULT ${entry.name} of ${entry.target}, ${entry.phase}${detail}` }]
    }
    if (entry.kind === 'exit') return [{ at: entry.at, text: `EXIT ${entry.target}: ${entry.code ?? entry.signal}` }]
    return entry.kind === 'uncaught' ? [{ at: entry.at, text: `UNCAUGHT ${entry.target}: ${entry.text}` }] : []
  })
}
