import type { Db } from '../../db.ts'
import { IN_REPLAY } from './current-replay.ts'

/** What a consumer knows when it asks how its replay goes on. */
export interface ReplayProgress {
  id: string
  /** The pass that it has looked at. */
  pass: number
  /** After so many the replay ends, whatever is left. */
  passes: number
  /** The present end of the log, up to which the next pass goes. */
  end: string
  /** A pass lasts at least so long, so that each process of the group has heard of it. */
  settleMs: number
}

/**
 * Takes a replay on, once the group has read past the end of its pass: to its end when nothing is left, else to the
 * next pass, and after the last one to its end, with a count of what the log did not bring any more.
 *
 * @returns what it did; `waits`: nothing, for the pass is too young or somebody else was faster
 */
export async function advanceReplay(
  db: Db,
  { id, pass, passes, end, settleMs }: ReplayProgress,
  now?: Date
): Promise<{ outcome: 'waits' | 'pass' } | { outcome: 'ended'; missing: number }> {
  const s = db.schema
  const rows = await db.rows<{ ended: boolean; missing: number | null }>(
    `with clock as materialized (select coalesce($6::timestamptz, clock_timestamp()) as now),
     ran as materialized (select count(*) as count from ${s}.replay_item where replay_id = $1),
     looked as materialized (
       select r.id, r.pass, $3::integer = 0 or r.pass_at <= clock.now - $5::float8 * interval '1 ms' as settled,
         case when $3 = 0 or r.pass > 0 and (ran.count >= r.total or r.pass_at <= clock.now - $5::float8 * interval '1 ms') then (
           select count(*)::integer from ${s}.inbox i
           where ${IN_REPLAY} and not exists (
             select from ${s}.replay_item x where x.replay_id = r.id and x.event_id = i.event_id)) end as missing
       from ${s}.replay r, clock, ran where r.id = $1 and r.pass = $2
     ),
     next as materialized (select *, missing = 0 or (missing is not null and pass >= $3) as ends from looked
       where (pass = 0 and $3 > 0) or missing = 0 or (missing > 0 and settled))
     update ${s}.replay r
     set ended_at = case when n.ends then clock.now end, missing = case when n.ends then n.missing end,
       pass = case when n.ends then r.pass else r.pass + 1 end, pass_at = clock.now, pass_end = $4
     from next n, clock
     where r.id = n.id and r.pass = $2 and r.stopped_at is null and r.ended_at is null
     returning r.ended_at is not null as ended, r.missing`,
    [id, pass, passes, end, settleMs, now ?? null]
  )
  const [row] = rows
  if (row === undefined) return { outcome: 'waits' }
  return row.ended ? { outcome: 'ended', missing: row.missing ?? 0 } : { outcome: 'pass' }
}
