import type { Database } from '../database.ts'

/**
 * How many messages of the topics the group has not done, over all partitions; with `upTo`, only those before ends that
 * were read earlier, as JSON.
 */
export async function readLag(db: Database, group: string, topics: readonly string[], upTo?: string): Promise<bigint> {
  const [row] = await db.rows<{ lag: string }>(
    `select coalesce(sum(greatest(0,
       least(p.next_offset, case when $3::json is not null then coalesce(($3::json ->> p.id::text)::bigint, 0) end)
         - greatest(p.first_offset, coalesce(g."offset", 0)))), 0) as lag
     from ${db.schema}.partition p
     left join ${db.schema}.group_offset g on g.group_name = $1 and g.partition_id = p.id
     where p.topic = any($2)`,
    [group, topics, upTo ?? null]
  )
  return BigInt(row?.lag ?? 0)
}
