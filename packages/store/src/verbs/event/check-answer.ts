import type { Db } from '../../db.ts'

/** What an answer finds at the event it answers; see {@link checkAnswer}. */
export type AnswerFit =
  | 'open'
  | 'reacted'
  | 'same'
  | 'supersedes'
  | 'conflict'
  | 'late'
  | 'unknown'
  | 'foreign'
  | 'other'

/** An answer as its asker sees it. */
export interface Answer {
  causationId: string
  answerId: string
  source: string
  /** The type its contract declares to answer; null asks for none. */
  answersType: string | null
  /** It is a receipt: of use only to what awaits one. Default false. */
  receipt?: boolean
  /** The earlier answer in whose place it comes. */
  supersedes?: string | undefined
  /** Whether the handler of what stays unanswered had run when the answer was looked at. Absent: it does not matter. */
  reacted?: boolean
}

/**
 * What an answer must fit in besides its source; parameters $4 and $5. Of an event that a process wrote which knew nothing
 * of the column, nobody knows whether it awaits a receipt: it is given one.
 */
export const ANSWER_FITS = `(e.type = coalesce($4, e.type) and (not $5::boolean or e.awaits_receipt is not false))`

/** The parameters $1 to $5 of an answer. */
export const answerValues = ({ causationId, answerId, source, answersType, receipt = false }: Answer): unknown[] => [
  causationId,
  answerId,
  source,
  answersType,
  receipt
]

/**
 * Looks, without a lock, whether an answer still fits the event it names. `open`: it may confirm · `reacted`: likewise, and
 * the handler of what stays unanswered has run · `same`: it has
 * confirmed already, or one that supersedes it · `supersedes`: it comes in the place of the one that has · `conflict`:
 * another one has, or it claims a place that is not its source's · `late`: an operator has resolved the event · `unknown`: there is no
 * such event · `other`: the event is of another type than it answers, or awaits no answer, or no receipt · `foreign`: it comes from a
 * source whose answer the event does not await.
 */
export async function checkAnswer(db: Db, answer: Answer): Promise<AnswerFit> {
  const rows = await db.rows<{ fit: AnswerFit }>(
    `select case
       when e.awaits_from is null or not ${ANSWER_FITS} then case when $6::uuid is null then 'other' else 'conflict' end
       when e.awaits_from <> $3 then case when $6::uuid is null then 'foreign' else 'conflict' end
       when e.status = 'CONFIRMED' and e.confirmed_by = $2 then 'same'
       when e.status = 'CONFIRMED' and e.confirmed_by = $6 then 'supersedes'
       when e.status = 'CONFIRMED' and exists (
         select from ${db.schema}.inbox i
         where i.event_id = e.confirmed_by and i.source = $3 and i.envelope ->> 'supersedes' = $2::text) then 'same'
       when e.status = 'CONFIRMED' then 'conflict'
       when e.status = 'RESOLVED' then 'late'
       when e.reacted_at is not null then 'reacted'
       else 'open' end as fit
     from ${db.schema}.event e where e.id = $1`,
    [...answerValues(answer), answer.supersedes ?? null]
  )
  return rows[0]?.fit ?? 'unknown'
}
