import type { Db } from './db.ts'
import type { Page } from './list-events.ts'
import { replayColumns, type StoredReplay } from './stored-replay.ts'

/** Replays, newest first; with how many deliveries each has run so far. */
export async function listReplays(db: Db, { after, limit }: Page): Promise<(StoredReplay & { done: number })[]> {
  return db.rows(
    `with page as (
       select * from ${db.schema}.replay where ($1::uuid is null or id < $1) order by id desc limit $2
     ), done as (
       select i.replay_id, count(*)::int as count from ${db.schema}.inbox i where i.replay_id in (select id from page) group by 1
     )
     select ${replayColumns('r')}, coalesce(d.count, 0) as done from page r left join done d on d.replay_id = r.id order by r.id desc`,
    [after ?? null, limit]
  )
}
