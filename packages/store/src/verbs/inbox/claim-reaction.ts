import type { Db } from '../../db.ts'
import { CHANGE, type Unanswered } from '../event/turn-unanswered.ts'

/**
 * Holds a request for the handler that is told of it, in the transaction of that handler, so that its answer waits, and
 * notes that the handler has run. `outdated`: it was answered since, or changed once more.
 */
export async function claimReaction(
  db: Db,
  { id, unanswered }: { id: string; unanswered: Unanswered }
): Promise<'claimed' | 'outdated'> {
  const s = db.schema
  const [row] = await db.rows<{ claimed: boolean; known: boolean }>(
    `with claimed as (
       update ${s}.event e set reacted_at = clock_timestamp()
       where e.id = $1 and e.status in ('PARKED', 'RESOLVED') and ${CHANGE} = $2 returning e.id)
     select exists (select from claimed) as claimed, exists (select from ${s}.event where id = $1) as known`,
    [id, `${unanswered.status} ${unanswered.reason}`]
  )
  // Retention may have removed one that was resolved long ago; its handler is owed all the same.
  return row?.claimed || !row?.known ? 'claimed' : 'outdated'
}
