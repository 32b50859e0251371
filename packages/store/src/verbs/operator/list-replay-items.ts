import type { Db } from '../../db.ts'
import { IN_REPLAY } from '../inbox/current-replay.ts'
import type { DeliveryError } from '../inbox/get-delivery.ts'
import type { Page } from './list-events.ts'

/** What became of one delivery of a replay. `LEFT`: it was not run. */
export interface ReplayItem {
  eventId: string
  state: 'DONE' | 'FAILED' | 'LEFT'
  type: string
  key: string
  topic: string
  position: string
  /** Why its rerun failed. */
  error: DeliveryError | null
  receivedAt: Date
  /** When it was run again. */
  at: Date | null
}

/** The deliveries of a replay, by event id, all or those of one state. */
export async function listReplayItems(
  db: Db,
  { replayId, state }: { replayId: string; state?: ReplayItem['state'] | undefined },
  { after, limit }: Page
): Promise<ReplayItem[]> {
  return db.rows(
    `select i.event_id as "eventId", coalesce(x.state, 'LEFT') as state, i.type, i.key, i.topic, i.position, x.error,
       i.received_at as "receivedAt", x.at
     from ${db.schema}.replay r join ${db.schema}.inbox i on ${IN_REPLAY}
     left join ${db.schema}.replay_item x on x.replay_id = r.id and x.event_id = i.event_id
     where r.id = $1 and ($2::text is null or coalesce(x.state, 'LEFT') = $2) and ($3::uuid is null or i.event_id > $3)
     order by i.event_id limit $4`,
    [replayId, state ?? null, after ?? null, limit]
  )
}
