import type { Db } from '../../db.ts'
import { firstDue, someDue } from './due-heads.ts'

/** How the outbox stands. Counts stop at 10,001, so that reading them stays cheap when it matters most. */
export interface OutboxStats {
  /** Events that wait to be sent. */
  due: number
  /** Since when the first of them (by `seq`) has been waiting, in ms; 0 when none is due. */
  oldestDueMs: number
  /** Events that wait for a person. */
  parked: number
  /** Published events that wait for their answer. */
  awaiting: number
  /** Row versions that vacuum has yet to remove; many of them, for long, hint at a transaction left open. */
  deadTuples: number
}

const CAP = 10_001

/** Reads {@link OutboxStats} from the indexes. */
export async function outboxStats(db: Db, now?: Date): Promise<OutboxStats> {
  const s = db.schema
  const [row] = await db.rows<OutboxStats>(
    `${firstDue(s)}
     select
       (select count(*)::integer from ${someDue(s, CAP)} d) as due,
       coalesce((select greatest(0, extract(epoch from coalesce($1::timestamptz, clock_timestamp()) - updated_at) * 1000)::float8 from first_due), 0) as "oldestDueMs",
       (select count(*)::integer from (select from ${s}.event where status = 'PARKED' limit ${CAP}) p) as parked,
       (select count(*)::integer from (select from ${s}.event where status = 'PUBLISHED' and deadline is not null limit ${CAP}) a) as awaiting,
       pg_stat_get_dead_tuples('${s}.event'::regclass)::float8 as "deadTuples"`,
    [now ?? null]
  )
  if (row === undefined) throw new Error('no row from a select without from')
  return row
}
