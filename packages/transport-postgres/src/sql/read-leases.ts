import type { Database } from '../database.ts'

/** A partition of a topic, and who of the group owns it. */
export interface Lease {
  id: number
  topic: string
  partition: number
  /** `null` when nobody owns it, or its owner is dead. */
  owner: string | null
  generation: number
  offset: number
}

/** The partitions of topics, as one group sees them. */
export async function readLeases(db: Database, group: string, topics: readonly string[]): Promise<Lease[]> {
  const rows = await db.rows<Omit<Lease, 'generation' | 'offset'> & { generation: string; offset: string }>(
    `select p.id, p.topic, p.partition, coalesce(g.generation, 0) as generation, coalesce(g."offset", 0) as "offset",
       case when g.expires_at > clock_timestamp() then g.owner end as owner
     from ${db.schema}.partition p
     left join ${db.schema}.group_offset g on g.group_name = $1 and g.partition_id = p.id
     where p.topic = any($2) order by p.topic, p.partition`,
    [group, topics]
  )
  return rows.map(row => ({ ...row, generation: Number(row.generation), offset: Number(row.offset) }))
}
