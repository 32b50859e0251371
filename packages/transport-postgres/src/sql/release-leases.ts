import type { Database } from '../database.ts'
import type { Identity } from './identity.ts'

/** Gives partitions back, for other members to take at once. */
export async function releaseLeases(
  db: Database,
  { group, id }: Identity,
  partitionIds: readonly number[]
): Promise<void> {
  await db.rows(
    `update ${db.schema}.group_offset set owner = null, expires_at = null
     where group_name = $1 and owner = $2 and partition_id = any($3)`,
    [group, id, partitionIds]
  )
}
