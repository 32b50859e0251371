import type { Db } from '../../db.ts'

/** What the sender of an event wrote. */
export interface EventData {
  /** The exact JSON text. */
  payload: string
  headers: Record<string, string>
}

/**
 * Reads the payload and the headers of an event for a person, with the audit row of that in the same statement: nobody sees
 * them without a trace. `undefined`, and no row: there is no such event, or it was erased.
 */
export async function viewEvent(db: Db, { id, actor }: { id: string; actor: string }): Promise<EventData | undefined> {
  const s = db.schema
  const rows = await db.rows<EventData>(
    `with viewed as (
       select e.id, e.payload::text as payload, e.headers from ${s}.event e where e.id = $1::uuid and e.erased_at is null
     ), audited as (
       insert into ${s}.audit (actor, action, event_id) select $2::text, 'view', id from viewed
     )
     select payload, headers from viewed`,
    [id, actor]
  )
  return rows[0]
}
