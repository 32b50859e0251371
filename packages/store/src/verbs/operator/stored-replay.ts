import { selectList } from '../event/stored-event.ts'
import { answersOf, type ReplayAnswers } from '../inbox/current-replay.ts'

/** How a replay stands: it waits for its consumer or for one before it · runs · has ended by itself · was stopped. */
export type ReplayState = 'waiting' | 'running' | 'ended' | 'stopped'

/** A row of the replay table: finished deliveries of a consumer that run through its handlers again. */
export interface StoredReplay {
  id: string
  consumer: string
  /** Deliveries that arrived here from then … */
  fromTime: Date
  /** … until then. */
  untilTime: Date
  answers: ReplayAnswers
  state: ReplayState
  /** How many deliveries it had when it was asked for. */
  total: number
  requestedBy: string
  requestedAt: Date
  stoppedAt: Date | null
  endedAt: Date | null
}

/** A replay with what became of its deliveries. */
export interface CountedReplay extends StoredReplay {
  /** Run again and committed. */
  done: number
  /** Run again and failed: what the first run did stands. */
  failed: number
  /** Not run yet; of a stopped replay: not run. */
  left: number
  /** Of a replay that has ended: not run, for the log did not hold them any more. */
  missing: number
}

/** The select list of a {@link StoredReplay}; `r` is the alias of the table. */
export const replayColumns = (r: string): string =>
  `${selectList(
    r,
    `id consumer from_time:fromTime until_time:untilTime total requested_by:requestedBy requested_at:requestedAt
     stopped_at:stoppedAt ended_at:endedAt`
  )}, ${answersOf(r)} as answers, case when ${r}.stopped_at is not null then 'stopped' when ${r}.ended_at is not null then 'ended'
    when ${r}.pass > 0 then 'running' else 'waiting' end as state`
