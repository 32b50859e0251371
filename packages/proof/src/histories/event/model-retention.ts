import { type Clock, type EventModel, type ModelEvent, number } from './model.ts'

/** Whether nothing is left to do with it. */
export function isFinished({ awaitsFrom, row }: ModelEvent): boolean {
  if (row.due) return false
  return row.status === 'CONFIRMED' || row.status === 'RESOLVED' || (row.status === 'PUBLISHED' && awaitsFrom === null)
}

export interface PurgeQuery {
  olderThanMs: number
  answersOlderThanMs: number
  limit: number
  after: string | null
  locked: readonly string[]
}

const madeAt = (id: string): number => Number.parseInt(id.replace('-', '').slice(0, 12), 16)

/** One batch of retention: looks at so many ids, oldest first, and removes what is finished and old. */
export function purge(model: EventModel, query: PurgeQuery, { now }: Clock): { purged: number; next: string | null } {
  const [events, answers] = [now - query.olderThanMs, now - query.answersOlderThanMs]
  const seen = model.events
    .filter(
      ({ id }) => madeAt(id) < Math.floor(Math.max(events, answers)) && (query.after === null || id > query.after)
    )
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .slice(0, query.limit)
  const gone = seen.filter(
    e => isFinished(e) && number(e.row.updated_at) < (e.isAnswer ? answers : events) && !query.locked.includes(e.id)
  )
  model.events = model.events.filter(e => !gone.includes(e))
  return { purged: gone.length, next: seen.length === query.limit ? (seen.at(-1)?.id ?? null) : null }
}
