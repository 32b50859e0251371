import type { Database } from '../database.ts'
import type { Identity } from './identity.ts'

/** Gives everything back and leaves the group. */
export async function leaveGroup(db: Database, { group, id }: Identity, timeoutMs: number): Promise<void> {
  await db.rows(
    `with released as (
       update ${db.schema}.group_offset set owner = null, expires_at = null where group_name = $1 and owner = $2
     )
     delete from ${db.schema}.member where group_name = $1 and id = $2`,
    [group, id],
    timeoutMs
  )
}
