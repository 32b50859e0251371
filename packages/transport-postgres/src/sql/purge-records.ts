import type { Database } from '../database.ts'

/** Where a partition begins. */
export interface Beginning {
  id: number
  first: number
}

/**
 * Deletes the oldest messages of each partition that are over their time, up to `limit` per partition; only ever from
 * the front, so that what remains has no gaps.
 *
 * @returns where each partition that was cut now begins, and how many messages went
 */
export async function purgeRecords(
  db: Database,
  retentionMs: number,
  limit: number
): Promise<{ purged: number; beginnings: Beginning[] }> {
  const rows = await db.rows<{ id: number; first: string; purged: string }>(
    `with kept as (
       select p.id, coalesce(
         min(r."offset") filter (where r.at >= clock_timestamp() - $1 * interval '1 millisecond'),
         max(r."offset") + 1) as first
       from ${db.schema}.partition p
       cross join lateral (
         select "offset", at from ${db.schema}.record where partition_id = p.id order by "offset" limit $2
       ) r
       group by p.id
     ), purged as (
       delete from ${db.schema}.record r using kept k where r.partition_id = k.id and r."offset" < k.first
       returning r.partition_id
     )
     select k.id, k.first, count(*) as purged from purged p join kept k on k.id = p.partition_id group by k.id, k.first`,
    [retentionMs, limit]
  )
  return {
    purged: rows.reduce((sum, row) => sum + Number(row.purged), 0),
    beginnings: rows.map(row => ({ id: row.id, first: Number(row.first) }))
  }
}
