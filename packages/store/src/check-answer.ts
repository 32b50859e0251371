import type { Db } from './db.ts'

/** What an answer finds at the event it answers; see {@link checkAnswer}. */
export type AnswerFit = 'open' | 'same' | 'supersedes' | 'conflict' | 'late' | 'unknown' | 'foreign'

/** An answer as its asker sees it. `answersType`: the type its contract declares to answer; null asks for none. */
export interface Answer {
  causationId: string
  answerId: string
  source: string
  answersType: string | null
  /** The earlier answer in whose place it comes. */
  supersedes?: string | undefined
}

/**
 * Looks, without a lock, whether an answer still fits the event it names. `open`: it may confirm · `same`: it has
 * confirmed already, or one that supersedes it · `supersedes`: it comes in the place of the one that has · `conflict`:
 * another one has, or it claims a place that is not its source's · `late`: an operator has resolved the event · `unknown`: there is no
 * such event · `foreign`: it comes from a source, or speaks of a type, whose answer the event does not await.
 */
export async function checkAnswer(db: Db, answer: Answer): Promise<AnswerFit> {
  const rows = await db.rows<{ fit: AnswerFit }>(
    `select case
       when e.awaits_from is distinct from $3 or e.type <> coalesce($4, e.type) then
         case when $5::uuid is null then 'foreign' else 'conflict' end
       when e.status = 'CONFIRMED' and e.confirmed_by = $2 then 'same'
       when e.status = 'CONFIRMED' and e.confirmed_by = $5 then 'supersedes'
       when e.status = 'CONFIRMED' and exists (
         select from ${db.schema}.inbox i
         where i.event_id = e.confirmed_by and i.source = $3 and i.envelope ->> 'supersedes' = $2::text) then 'same'
       when e.status = 'CONFIRMED' then 'conflict'
       when e.status = 'RESOLVED' then 'late'
       else 'open' end as fit
     from ${db.schema}.event e where e.id = $1`,
    [answer.causationId, answer.answerId, answer.source, answer.answersType, answer.supersedes ?? null]
  )
  return rows[0]?.fit ?? 'unknown'
}
