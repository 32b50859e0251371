import type { Db } from '../../db.ts'

/**
 * Makes an event due again for a person, with its audit row in the same statement. Fit are published and parked events
 * that are not due already and whose payload was not erased; a parked one stays parked until it is confirmed (or, awaiting nothing, sent).
 */
export async function resendEvent(
  db: Db,
  { id, actor, note }: { id: string; actor: string; note?: string | undefined }
): Promise<'resent' | 'unknown' | 'unfit'> {
  const s = db.schema
  const [row] = await db.rows<{ resent: boolean; found: boolean }>(
    `with resent as (
       update ${s}.event e set due = true, updated_at = clock_timestamp()
       where e.id = $1::uuid and e.status in ('PUBLISHED', 'PARKED') and not e.due and e.erased_at is null returning e.id, e.status, e.count
     ), audited as (
       insert into ${s}.audit (actor, action, event_id, note, details)
       select $2::text, 'resend', id, $3::text, json_build_object('status', status, 'count', count) from resent
     )
     select exists (select from resent) as resent, exists (select from ${s}.event where id = $1::uuid) as found`,
    [id, actor, note ?? null]
  )
  if (row?.resent) return 'resent'
  return row?.found ? 'unfit' : 'unknown'
}
