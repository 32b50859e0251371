import type { Database } from '../database.ts'
import type { GroupMember } from '../plan-share.ts'

/** The living members of a group, the eldest first. */
export function readMembers(db: Database, group: string): Promise<GroupMember[]> {
  return db.rows<GroupMember>(
    `select id, to_json(topics) as topics from ${db.schema}.member
     where group_name = $1 and expires_at > clock_timestamp() order by joined_at, id`,
    [group]
  )
}
