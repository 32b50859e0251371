import type { Db } from '../../db.ts'

/** An event of this service that another one led to. */
export interface CausedEvent {
  id: string
  seq: string
  type: string
  isAnswer: boolean
  status: string
}

/** What a service has sent because of an event, answers and others, in the order of sending; without what was superseded. */
export async function findCaused(
  db: Db,
  { causationId, source }: { causationId: string; source: string }
): Promise<CausedEvent[]> {
  return await db.rows<CausedEvent>(
    `select id, seq, type, is_answer as "isAnswer", status from ${db.schema}.event where causation_id = $1 and source = $2 and superseded_by is null order by seq`,
    [causationId, source]
  )
}
