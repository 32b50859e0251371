import type { Db } from './db.ts'

/**
 * Marks a finished delivery as rerun by a replay, in the transaction of the rerun.
 *
 * @returns false when this replay has rerun it already
 */
export async function claimReplay(
  db: Db,
  { consumer, eventId, replayId }: { consumer: string; eventId: string; replayId: string }
): Promise<boolean> {
  const rows = await db.rows(
    `update ${db.schema}.inbox set replay_id = $3, updated_at = clock_timestamp()
     where consumer = $1 and event_id = $2 and state = 'DONE' and replay_id is distinct from $3::uuid
     returning event_id`,
    [consumer, eventId, replayId]
  )
  return rows.length > 0
}
