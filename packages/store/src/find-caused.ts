import type { Db } from './db.ts'

/** An event of this service that another one led to. */
export interface CausedEvent {
  id: string
  seq: string
  type: string
  isAnswer: boolean
  status: string
}

/** What this service has sent because of an event, answers and others, in the order of sending. */
export async function findCaused(db: Db, causationId: string): Promise<CausedEvent[]> {
  return await db.rows<CausedEvent>(
    `select id, seq, type, is_answer as "isAnswer", status from ${db.schema}.event where causation_id = $1 order by seq`,
    [causationId]
  )
}
