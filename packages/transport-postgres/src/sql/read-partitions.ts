import type { Database } from '../database.ts'

/** The row ids of each topic's partitions, in the order of their numbers. Unknown topics are absent. */
export async function readPartitions(db: Database, topics: readonly string[]): Promise<Map<string, number[]>> {
  const rows = await db.rows<{ topic: string; ids: number[] }>(
    `select topic, json_agg(id order by partition) as ids
     from ${db.schema}.partition where topic = any($1) group by topic`,
    [topics]
  )
  return new Map(rows.map(({ topic, ids }) => [topic, ids]))
}
