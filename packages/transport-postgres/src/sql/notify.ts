import type { Database } from '../database.ts'

/** Sends a notification in a transaction of its own. */
export async function notify(db: Database, channel: string, payload: string): Promise<void> {
  await db.rows('select pg_notify($1, $2)', [channel, payload])
}
