import type { Db } from './db.ts'

/** A rerun of a consumer's events through its corrected handlers, as an operator asked for it. */
export interface Replay {
  id: string
  consumer: string
  /** Deliveries that the log took from then … */
  fromTime: Date
  /** … until then are rerun. */
  untilTime: Date
  /** Whether stored answers are sent anew. */
  resendAnswers: boolean
  requestedAt: Date
}

/** The replays of a consumer that nobody has stopped, oldest first. */
export async function activeReplays(db: Db, consumer: string): Promise<Replay[]> {
  return await db.rows<Replay>(
    `select id, consumer, from_time as "fromTime", until_time as "untilTime", resend_answers as "resendAnswers",
       requested_at as "requestedAt"
     from ${db.schema}.replay where consumer = $1 and stopped_at is null order by requested_at`,
    [consumer]
  )
}
