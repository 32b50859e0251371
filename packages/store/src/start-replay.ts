import type { Db } from './db.ts'
import { replayColumns, type StoredReplay } from './stored-replay.ts'

/** What a person wants run again. */
export interface ReplayRequest {
  /** UUID v7. */
  id: string
  consumer: string
  /** Deliveries that the log took since. */
  from: Date
  /** Deliveries that the log took until; default, and at the latest: now, by the database's clock. */
  until?: Date | undefined
  /** Answers go out again as well. Default false. */
  resendAnswers?: boolean | undefined
  actor: string
  note?: string | undefined
}

/** Asks a consumer to run a stretch of its log through its handlers again. Its audit row is written in the same statement. */
export async function startReplay(
  db: Db,
  { id, consumer, from, until, resendAnswers, actor, note }: ReplayRequest
): Promise<StoredReplay> {
  const s = db.schema
  const [replay] = await db.rows<StoredReplay>(
    `with started as (
       insert into ${s}.replay (id, consumer, from_time, until_time, resend_answers, requested_by)
       values ($1::uuid, $2, $3::timestamptz, least($4::timestamptz, clock_timestamp()), $5, $6) returning *
     ), audited as (
       insert into ${s}.audit (actor, action, consumer, note, details)
       select requested_by, 'replay', consumer, $7::text,
         json_build_object('id', id, 'from', from_time, 'until', until_time, 'resendAnswers', resend_answers) from started
     )
     select ${replayColumns('r')} from started r`,
    [id, consumer, from, until ?? null, resendAnswers ?? false, actor, note ?? null]
  )
  return replay as StoredReplay
}
