import type { Db } from '../../db.ts'

/**
 * Records that the broker refused an event for good. One that waited to be sent or answered is PARKED for a person; a
 * repeated send of one that is past that only stops being due.
 *
 * @returns `ended`: it is due no longer; `unchanged`: the row was not as it was read
 */
export async function parkUnsendable(
  db: Db,
  { id, count, error }: { id: string; count: number; error: string }
): Promise<'parked' | 'ended' | 'unchanged'> {
  const rows = await db.rows<{ parked: boolean }>(
    `update ${db.schema}.event set
       due = false,
       replay = false,
       status = case when status in ('NEW', 'PUBLISHED') then 'PARKED' else status end,
       park_reason = case when status in ('NEW', 'PUBLISHED') then 'REFUSED_BY_BROKER' else park_reason end,
       last_error = $3,
       failing_since = null,
       topic_unavailable_since = null,
       updated_at = clock_timestamp()
     where id = $1 and due and count = $2
     returning status = 'PARKED' and park_reason = 'REFUSED_BY_BROKER' as parked`,
    [id, count, error.replaceAll('\u0000', '')]
  )
  if (rows[0] === undefined) return 'unchanged'
  return rows[0].parked ? 'parked' : 'ended'
}
