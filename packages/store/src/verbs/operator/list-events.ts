import type { Db } from '../../db.ts'
import { type EventSummary, summaryColumns } from '../event/stored-event.ts'
import { type EventFilter, eventFilter } from './event-filter.ts'

/** One page of a list that is walked by its key. */
export interface Page<Cursor = string> {
  /** The last one of the page before. */
  after?: Cursor | undefined
  limit: number
}

/**
 * Lists events without their payloads, newest first, or oldest first. Pages follow the id, which carries the time, so
 * events written meanwhile shift nothing: newest first they are not seen, oldest first they come last.
 */
export async function listEvents(
  db: Db,
  filter: EventFilter,
  { after, limit, order = 'newest' }: Page & { order?: 'newest' | 'oldest' }
): Promise<EventSummary[]> {
  const { where, values } = eventFilter(db.schema, filter)
  const [beyond, direction] = order === 'newest' ? ['<', 'desc'] : ['>', 'asc']
  return db.rows(
    `select ${summaryColumns('e')} from ${db.schema}.event e
     where ${where} and ($12::uuid is null or e.id ${beyond} $12)
     order by e.id ${direction} limit $13`,
    [...values, after ?? null, limit]
  )
}
