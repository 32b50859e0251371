import type { Db } from '../../db.ts'
import type { Page } from './list-events.ts'

/** One deed: who did what, to which event, and why. */
export interface AuditEntry {
  /** A bigint as text. */
  id: string
  at: Date
  actor: string
  action: string
  eventId: string | null
  consumer: string | null
  note: string | null
  details: unknown
}

/** The audit trail, newest first. `deeds`: without who only looked at data. */
export async function listAudit(
  db: Db,
  { eventId, actor, action, deeds = false }: { eventId?: string; actor?: string; action?: string; deeds?: boolean },
  { after, limit }: Page
): Promise<AuditEntry[]> {
  return db.rows(
    `select a.id, a.at, a.actor, a.action, a.event_id as "eventId", a.consumer, a.note, a.details from ${db.schema}.audit a
     where ($1::uuid is null or a.event_id = $1) and ($2::text is null or a.actor = $2) and ($3::text is null or a.action = $3)
       and ($4::bigint is null or a.id < $4) and (a.action <> 'view' or not $6::boolean)
     order by a.id desc limit $5`,
    [eventId ?? null, actor ?? null, action ?? null, after ?? null, limit, deeds]
  )
}
