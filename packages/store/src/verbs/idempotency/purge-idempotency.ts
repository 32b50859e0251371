import type { Db } from '../../db.ts'

/**
 * Removes stored HTTP responses that have expired, at most `limit` of them.
 *
 * @returns how many
 */
export async function purgeIdempotency(db: Db, { limit }: { limit: number }, now?: Date): Promise<number> {
  const s = db.schema
  const rows = await db.rows(
    `with clock as materialized (select coalesce($2::timestamptz, clock_timestamp()) as now),
     expired as materialized (
       select scope, key from ${s}.idempotency where expires_at <= (select now from clock)
       order by expires_at limit $1 for update skip locked
     )
     delete from ${s}.idempotency i using expired e, clock
     where i.scope = e.scope and i.key = e.key and i.expires_at <= clock.now
     returning 1`,
    [limit, now ?? null]
  )
  return rows.length
}
