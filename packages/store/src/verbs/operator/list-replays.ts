import type { Db } from '../../db.ts'
import type { Page } from './list-events.ts'
import { type CountedReplay, replayColumns } from './stored-replay.ts'

/** Replays, newest first, with what became of their deliveries; with `id`, that one alone. */
export async function listReplays(db: Db, { id }: { id?: string }, { after, limit }: Page): Promise<CountedReplay[]> {
  return db.rows(
    `with page as (
       select * from ${db.schema}.replay
       where ($1::uuid is null or id < $1) and ($3::uuid is null or id = $3) order by id desc limit $2
     )
     select ${replayColumns('r')}, n.done, n.failed, coalesce(r.missing, 0) as missing,
       case when r.ended_at is null then greatest(0, r.total - n.done - n.failed) else 0 end as left
     from page r cross join lateral (
       select count(*) filter (where x.state = 'DONE')::integer as done, count(*) filter (where x.state = 'FAILED')::integer as failed
       from ${db.schema}.replay_item x where x.replay_id = r.id
     ) n
     order by r.id desc`,
    [after ?? null, limit, id ?? null]
  )
}
