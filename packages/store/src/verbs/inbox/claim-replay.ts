import type { Db } from '../../db.ts'
import { IN_REPLAY } from './current-replay.ts'
import type { DeliveryError } from './get-delivery.ts'

/**
 * Notes that a replay has run a finished delivery again, in the transaction of the rerun; with `error`, that the rerun
 * failed. Of two that come at once the second waits here until the first has ended.
 *
 * @returns false when this replay has had it already, does not include it, or is over
 */
export async function claimReplay(
  db: Db,
  { replayId, consumer, eventId, error }: { replayId: string; consumer: string; eventId: string; error?: DeliveryError }
): Promise<boolean> {
  const s = db.schema
  const rows = await db.rows(
    `with item as (
       insert into ${s}.replay_item (replay_id, event_id, state, error)
       select r.id, i.event_id, case when $4::json is null then 'DONE' else 'FAILED' end, $4::json
       from ${s}.replay r join ${s}.inbox i on ${IN_REPLAY}
       where r.id = $1 and r.consumer = $2 and r.stopped_at is null and r.ended_at is null and i.event_id = $3
       on conflict (replay_id, event_id) do nothing
       returning replay_id, event_id
     )
     update ${s}.inbox i set replay_id = item.replay_id, updated_at = clock_timestamp() from item
     where i.consumer = $2 and i.event_id = item.event_id
     returning i.event_id`,
    [replayId, consumer, eventId, error === undefined ? null : JSON.stringify(error)]
  )
  return rows.length > 0
}
