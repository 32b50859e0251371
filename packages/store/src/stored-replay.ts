import type { Replay } from './active-replays.ts'
import { selectList } from './stored-event.ts'

/** A row of the replay table: a stretch of a consumer's log that runs through its handlers again. */
export interface StoredReplay extends Replay {
  requestedBy: string
  stoppedAt: Date | null
}

/** The select list of a {@link StoredReplay}; `r` is the alias of the table. */
export const replayColumns = (r: string): string =>
  selectList(
    r,
    `id consumer from_time:fromTime until_time:untilTime resend_answers:resendAnswers requested_by:requestedBy
     requested_at:requestedAt stopped_at:stoppedAt`
  )
