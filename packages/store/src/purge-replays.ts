import type { Db } from './db.ts'

/**
 * Removes requests for a replay that were made, stopped and reach back so long ago, at most `limit` of them. What was
 * done on their account stays in the audit.
 *
 * @returns how many
 */
export async function purgeReplays(
  db: Db,
  { olderThanMs, limit }: { olderThanMs: number; limit: number },
  now?: Date
): Promise<number> {
  const s = db.schema
  const rows = await db.rows(
    `with clock as materialized (select coalesce($3::timestamptz, clock_timestamp()) - $1 * interval '1 ms' as cutoff),
     old as materialized (
       select id from ${s}.replay, clock
       where greatest(requested_at, until_time, stopped_at) < clock.cutoff
       limit $2 for update of replay skip locked
     )
     delete from ${s}.replay r using old, clock
     where r.id = old.id and greatest(r.requested_at, r.until_time, r.stopped_at) < clock.cutoff
     returning 1`,
    [olderThanMs, limit, now ?? null]
  )
  return rows.length
}
