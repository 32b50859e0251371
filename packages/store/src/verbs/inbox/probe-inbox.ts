import type { Db } from '../../db.ts'

/**
 * Resolves when the database takes work of the inbox: it answers, has the table, and is no read-only node. Changes
 * nothing.
 */
export async function probeInbox(db: Db): Promise<void> {
  await db.rows(
    `select from ${db.schema}.inbox where consumer = '' and event_id = '00000000-0000-0000-0000-000000000000' for update`
  )
}
