import type { Database } from '../database.ts'

/** How many messages of the topics the group has not done, over all partitions. */
export async function readLag(db: Database, group: string, topics: readonly string[]): Promise<bigint> {
  const [row] = await db.rows<{ lag: string }>(
    `select coalesce(sum(p.next_offset - greatest(p.first_offset, coalesce(g."offset", 0))), 0) as lag
     from ${db.schema}.partition p
     left join ${db.schema}.group_offset g on g.group_name = $1 and g.partition_id = p.id
     where p.topic = any($2)`,
    [group, topics]
  )
  return BigInt(row?.lag ?? 0)
}
