import type { Database } from '../database.ts'
import type { Identity } from './identity.ts'

/**
 * Takes the offsets of partitions that the member owns back: to their beginning, or to the first message that is not
 * older than a time. An offset that is not behind that place stays as it is.
 *
 * @returns those that moved
 */
export async function rewindOffsets(
  db: Database,
  { group, id }: Identity,
  partitionIds: readonly number[],
  to: 'beginning' | Date
): Promise<{ id: number; generation: number; offset: number }[]> {
  const rows = await db.rows<{ id: number; generation: string; offset: string }>(
    `update ${db.schema}.group_offset g set "offset" = found."offset"
     from (
       select p.id, case when $4::timestamptz is null then p.first_offset else coalesce((
         select r."offset" from ${db.schema}.record r
         where r.partition_id = p.id and r.at >= $4 order by r."offset" limit 1
       ), p.next_offset) end as "offset"
       from ${db.schema}.partition p where p.id = any($3)
     ) found
     where g.partition_id = found.id and g.group_name = $1 and g.owner = $2 and found."offset" < g."offset"
     returning g.partition_id as id, g.generation, g."offset"`,
    [group, id, partitionIds, to === 'beginning' ? null : to]
  )
  return rows.map(row => ({ id: row.id, generation: Number(row.generation), offset: Number(row.offset) }))
}
