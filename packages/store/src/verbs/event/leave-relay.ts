import type { Db } from '../../db.ts'

/**
 * Removes a relay that ends, or cannot send, so that the others take its lanes at their next beat. Does nothing when it
 * has left already.
 *
 * @returns whether others are left; they may have died since they were last seen
 */
export async function leaveRelay(
  db: Db,
  relayId: string,
  { staleMs }: { staleMs: number },
  now?: Date
): Promise<boolean> {
  const s = db.schema
  const [row] = await db.rows<{ others: boolean }>(
    `with clock as materialized (select coalesce($3::timestamptz, clock_timestamp()) as now),
     gone as (delete from ${s}.relay where id = $1)
     select exists (
       select from ${s}.relay, clock
       where id <> $1 and seen_at between now - $2 * interval '1 ms' and now + $2 * interval '1 ms'
     ) as others`,
    [relayId, staleMs, now ?? null]
  )
  return row?.others ?? false
}
