import type { Db } from '../../db.ts'
import { UNANSWERED_TOPIC } from '../event/turn-unanswered.ts'

/**
 * What becomes of the answers that a rerun gives. `none`: nothing is sent · `stored`: those of then go out again under
 * their own ids · `corrected`: those of the rerun are sent as new events that supersede those of then.
 */
export type ReplayAnswers = 'none' | 'stored' | 'corrected'

/** A rerun of a consumer's deliveries through its corrected handlers, as the consumer sees it. */
export interface Replay {
  id: string
  answers: ReplayAnswers
  /** How often the log has been rewound for it; 0: it has not begun. */
  pass: number
  /** The end of the log when this pass began, as the transport tells it; null before the first. */
  passEnd: string | null
  /** When the log took the first of its deliveries; null: not known. */
  logFrom: Date | null
}

/** The oldest replay of a consumer that has neither ended nor been stopped: one runs at a time. */
export async function currentReplay(db: Db, consumer: string): Promise<Replay | undefined> {
  const [row] = await db.rows<Omit<Replay, 'logFrom'> & { logFrom: number | null }>(
    `select r.id::text, ${answersOf('r')} as answers, r.pass, r.pass_end as "passEnd",
       (extract(epoch from r.log_from) * 1000)::float8 as "logFrom"
     from ${db.schema}.replay r
     where r.consumer = $1 and r.stopped_at is null and r.ended_at is null order by r.requested_at, r.id limit 1`,
    [consumer]
  )
  // A host may have told its driver to leave times as text: what is rewound to is made a Date here.
  return row && { ...row, logFrom: row.logFrom === null ? null : new Date(Math.floor(row.logFrom)) }
}

/** The answers a replay asks for; a version that knew two ways writes `resend_answers`. */
export const answersOf = (r: string) =>
  `coalesce(${r}.answers, case when ${r}.resend_answers then 'stored' else 'none' end)`

/** The deliveries of a replay: what its consumer had finished in its time and the log has, of the inbox `i` and the replay `r`. */
export const IN_REPLAY = `i.consumer = r.consumer and i.state = 'DONE' and i.received_at >= r.from_time and i.received_at <= r.until_time
  and i.topic <> '${UNANSWERED_TOPIC}'`
