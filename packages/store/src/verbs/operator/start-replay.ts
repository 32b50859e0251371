import type { Db } from '../../db.ts'
import { IN_REPLAY, type ReplayAnswers } from '../inbox/current-replay.ts'
import { replayColumns, type StoredReplay } from './stored-replay.ts'

/** What a person wants run again. */
export interface ReplayRequest {
  /** UUID v7. */
  id: string
  consumer: string
  /** Deliveries that arrived here since. */
  from: Date
  /** Deliveries that arrived here until; default, and at the latest: now, by the database's clock. */
  until?: Date | undefined
  /** What becomes of the answers. Default `none`. */
  answers?: ReplayAnswers | undefined
  actor: string
  note?: string | undefined
}

/**
 * Asks a consumer to run its finished deliveries of a stretch of time through its handlers again, and counts them. Its
 * audit row is written in the same statement.
 */
export async function startReplay(
  db: Db,
  { id, consumer, from, until, answers, actor, note }: ReplayRequest
): Promise<StoredReplay> {
  const s = db.schema
  const [replay] = await db.rows<StoredReplay>(
    `with r as materialized (
       select $2::text as consumer, $3::timestamptz as from_time, least($4::timestamptz, clock_timestamp()) as until_time
     ), counted as materialized (
       select count(*)::integer as total, case when count(*) = count(i.logged_at) then min(i.logged_at) end as log_from
       from ${s}.inbox i join r on ${IN_REPLAY}
     ), started as (
       insert into ${s}.replay (id, consumer, from_time, until_time, answers, resend_answers, total, log_from, requested_by)
       select $1::uuid, r.consumer, r.from_time, r.until_time, $5, $5 = 'stored', counted.total, counted.log_from, $6 from r, counted
       returning *
     ), audited as (
       insert into ${s}.audit (actor, action, consumer, note, details)
       select requested_by, 'replay', consumer, $7::text,
         json_build_object('id', id, 'from', from_time, 'until', until_time, 'answers', answers, 'total', total) from started
     )
     select ${replayColumns('r')} from started r`,
    [id, consumer, from, until ?? null, answers ?? 'none', actor, note ?? null]
  )
  return replay as StoredReplay
}
