import type { Database } from '../database.ts'

/**
 * Deletes the oldest messages of each partition that are over their time, up to `limit` per partition; only ever from
 * the front, so that what remains has no gaps.
 *
 * @returns how many were deleted
 */
export async function purgeRecords(db: Database, retentionMs: number, limit: number): Promise<number> {
  const [row] = await db.rows<{ purged: string }>(
    `with kept as (
       select p.id, coalesce(min(r."offset") filter (where r.at >= clock_timestamp() - $1 * interval '1 millisecond'),
         max(r."offset") + 1) as first
       from ${db.schema}.partition p
       cross join lateral (
         select "offset", at from ${db.schema}.record where partition_id = p.id order by "offset" limit $2
       ) r
       group by p.id
     ), locked as materialized (
       select p.id, k.first from ${db.schema}.partition p join kept k on k.id = p.id
       where p.first_offset < k.first order by p.id for no key update of p
     ), moved as (
       update ${db.schema}.partition p set first_offset = greatest(p.first_offset, l.first) from locked l where p.id = l.id
     ), purged as (
       delete from ${db.schema}.record r using locked l where r.partition_id = l.id and r."offset" < l.first returning 1
     )
     select count(*) as purged from purged`,
    [retentionMs, limit]
  )
  return Number(row?.purged ?? 0)
}
