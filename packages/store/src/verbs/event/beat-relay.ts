import type { Db } from '../../db.ts'

/**
 * Says that this relay lives, removes those that were silent for `staleMs`, and reads who is left. A time that lies
 * ahead by more than that is from a clock that was wrong, and counts as silence.
 *
 * @returns the ids of the living, this one among them, sorted
 */
export async function beatRelay(
  db: Db,
  relayId: string,
  { staleMs }: { staleMs: number },
  now?: Date
): Promise<string[]> {
  const s = db.schema
  const rows = await db.rows<{ id: string }>(
    `with clock as materialized (
       select now, now - $2 * interval '1 ms' as oldest, now + $2 * interval '1 ms' as newest
       from (select coalesce($3::timestamptz, clock_timestamp()) as now) c
     ),
     own as (
       insert into ${s}.relay as r (id, seen_at) select $1::uuid, now from clock
       on conflict (id) do update set seen_at = excluded.seen_at
       returning id
     ),
     stale as (
       select id from ${s}.relay, clock where seen_at not between oldest and newest and id <> $1::uuid
       for update of relay skip locked
     ),
     gone as (
       delete from ${s}.relay r using stale, clock where r.id = stale.id and r.seen_at not between oldest and newest
     )
     select id::text from own
     union
     select r.id::text from ${s}.relay r, clock where r.seen_at between oldest and newest
     order by id`,
    [relayId, staleMs, now ?? null]
  )
  return rows.map(({ id }) => id)
}
