import type { Db } from '../../db.ts'

/** A person declares a parked event settled. Its audit row is written in the same statement. `false`: not parked. */
export async function resolveEvent(
  db: Db,
  { id, actor, note }: { id: string; actor: string; note: string }
): Promise<boolean> {
  const s = db.schema
  const rows = await db.rows(
    `with resolved as (
       update ${s}.event e set status = 'RESOLVED', due = false, replay = false, failing_since = null,
         topic_unavailable_since = null, updated_at = clock_timestamp()
       where e.id = $1::uuid and e.status = 'PARKED' returning e.id, e.park_reason, e.count
     ), audited as (
       insert into ${s}.audit (actor, action, event_id, note, details)
       select $2::text, 'resolve', id, $3::text, json_build_object('reason', park_reason, 'count', count) from resolved
     )
     select id from resolved`,
    [id, actor, note]
  )
  return rows.length === 1
}
