import type { Database } from '../database.ts'
import type { Identity } from './identity.ts'

/** Takes partitions that nobody owns, or whose owner is dead; others are left out. A new group starts at offset 0. */
export async function claimLeases(
  db: Database,
  { group, id }: Identity,
  partitionIds: readonly number[],
  leaseMs: number
): Promise<{ id: number; generation: number; offset: number }[]> {
  const rows = await db.rows<{ id: number; generation: string; offset: string }>(
    `insert into ${db.schema}.group_offset as g (group_name, partition_id, "offset", owner, generation, expires_at)
     select $1::text, p, 0, $2::uuid, 1, clock_timestamp() + $4 * interval '1 millisecond'
     from unnest($3::integer[]) as p order by p
     on conflict (group_name, partition_id) do update
     set owner = excluded.owner, generation = g.generation + 1, expires_at = excluded.expires_at
     where g.owner is null or g.expires_at < clock_timestamp()
     returning g.partition_id as id, g.generation, g."offset"`,
    [group, id, partitionIds, leaseMs]
  )
  return rows.map(row => ({ id: row.id, generation: Number(row.generation), offset: Number(row.offset) }))
}
