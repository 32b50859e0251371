import type { Db } from '../../db.ts'

/** Ends a replay: no further delivery is run again for it. Audited in the same statement. `false`: none runs by this id. */
export async function stopReplay(
  db: Db,
  { id, actor, note }: { id: string; actor: string; note?: string | undefined }
): Promise<boolean> {
  const s = db.schema
  const rows = await db.rows(
    `with stopped as (
       update ${s}.replay r set stopped_at = clock_timestamp() where r.id = $1::uuid and r.stopped_at is null and r.ended_at is null returning r.id, r.consumer
     ), audited as (
       insert into ${s}.audit (actor, action, consumer, note, details)
       select $2::text, 'stop-replay', consumer, $3::text, json_build_object('id', id) from stopped
     )
     select id from stopped`,
    [id, actor, note ?? null]
  )
  return rows.length === 1
}
