import type { Database } from '../database.ts'
import type { Identity } from './identity.ts'

/** An offset, and the lease under which it was reached. */
export interface OffsetCommit {
  id: number
  generation: number
  offset: number
}

/**
 * Writes offsets, each only while the lease under which it was reached is still the member's.
 *
 * @returns the partitions whose offset was written; the others are lost
 */
export async function commitOffsets(
  db: Database,
  { group, id }: Identity,
  commits: readonly OffsetCommit[]
): Promise<Set<number>> {
  // Without waiting for the disk: an offset that a crash of the server takes back only means a second delivery.
  const rows = await db.rows<{ id: number }>(
    `with quick as materialized (select set_config('synchronous_commit', 'off', true))
     update ${db.schema}.group_offset g set "offset" = v."offset"
     from quick, unnest($3::integer[], $4::bigint[], $5::bigint[]) as v (partition_id, generation, "offset")
     where g.group_name = $1 and g.owner = $2 and g.partition_id = v.partition_id and g.generation = v.generation
     returning g.partition_id as id`,
    [group, id, commits.map(c => c.id), commits.map(c => c.generation), commits.map(c => c.offset)]
  )
  return new Set(rows.map(row => row.id))
}
