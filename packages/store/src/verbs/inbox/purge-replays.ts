import type { Db } from '../../db.ts'

/**
 * Removes replays that were asked for, ended and reach back so long ago, and before them the notes of what they have
 * run; at most `limit` rows. What was done on their account stays in the audit.
 *
 * @returns how many rows
 */
export async function purgeReplays(
  db: Db,
  { olderThanMs, limit }: { olderThanMs: number; limit: number },
  now?: Date
): Promise<number> {
  const s = db.schema
  const isOld = (r: string) =>
    `greatest(${r}.requested_at, ${r}.until_time, ${r}.stopped_at, ${r}.ended_at) < clock.cutoff`
  const rows = await db.rows(
    `with clock as materialized (select coalesce($3::timestamptz, clock_timestamp()) - $1 * interval '1 ms' as cutoff),
     old as materialized (
       select r.id, exists (select from ${s}.replay_item x where x.replay_id = r.id) as noted from ${s}.replay r, clock
       where ${isOld('r')}
       limit $2 for update of r skip locked
     ),
     items as (
       delete from ${s}.replay_item where (replay_id, event_id) in (
         select x.replay_id, x.event_id from ${s}.replay_item x join old on old.id = x.replay_id and old.noted limit $2)
       returning 1
     ),
     replays as (
       delete from ${s}.replay r using old, clock where r.id = old.id and not old.noted and ${isOld('r')}
       returning 1
     )
     select from items union all select from replays`,
    [olderThanMs, limit, now ?? null]
  )
  return rows.length
}
