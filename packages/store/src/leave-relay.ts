import type { Db } from './db.ts'

/** Removes a relay that ends in order, so that the others take its lanes at their next beat. */
export async function leaveRelay(db: Db, relayId: string): Promise<void> {
  await db.rows(`delete from ${db.schema}.relay where id = $1`, [relayId])
}
