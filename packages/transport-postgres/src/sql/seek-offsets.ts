import type { Database } from '../database.ts'
import type { Identity } from '../membership.ts'

/** Moves the offsets of partitions that the member owns. A date means the first message that is not older. */
export async function seekOffsets(
  db: Database,
  { group, id }: Identity,
  partitionIds: readonly number[],
  to: 'beginning' | 'end' | Date
): Promise<{ id: number; generation: number; offset: number }[]> {
  const rows = await db.rows<{ id: number; generation: string; offset: string }>(
    `update ${db.schema}.group_offset g set "offset" = case $4
       when 'beginning' then p.first_offset
       when 'end' then p.next_offset
       else coalesce((
         select r."offset" from ${db.schema}.record r
         where r.partition_id = p.id and r.at >= $5::timestamptz order by r."offset" limit 1
       ), p.next_offset) end
     from ${db.schema}.partition p
     where p.id = any($3) and g.partition_id = p.id and g.group_name = $1 and g.owner = $2
     returning g.partition_id as id, g.generation, g."offset"`,
    [group, id, partitionIds, to instanceof Date ? 'date' : to, to instanceof Date ? to : null]
  )
  return rows.map(row => ({ id: row.id, generation: Number(row.generation), offset: Number(row.offset) }))
}
