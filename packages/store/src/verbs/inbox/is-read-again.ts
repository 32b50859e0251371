import type { Db } from '../../db.ts'
import { IN_REPLAY } from './current-replay.ts'
import type { NewDelivery } from './get-delivery.ts'

/**
 * Whether a delivery is a record of the log that is known already, by its place, and is nothing to anybody now: the log was
 * rewound, or offsets were lost, and no replay wants it. A look that saves a handler's transaction; who is told false looks
 * again there.
 *
 * @param replayId the replay that runs now
 */
export async function isReadAgain(
  db: Db,
  { consumer, eventId, source, type, topic, position }: NewDelivery,
  replayId: string | undefined
): Promise<boolean> {
  const s = db.schema
  const rows = await db.rows(
    `select from ${s}.inbox i
     where i.consumer = $1 and i.event_id = $2 and i.source = $3 and i.type = $4 and i.topic = $5 and i.position = $6
       and not exists (
         select from ${s}.replay r where r.id = $7::uuid and ${IN_REPLAY} and r.stopped_at is null and r.ended_at is null
           and not exists (select from ${s}.replay_item x where x.replay_id = r.id and x.event_id = i.event_id))`,
    [consumer, eventId, source, type, topic, position, replayId ?? null]
  )
  return rows.length > 0
}
