import type { Db } from '../../db.ts'
import type { Answer } from './check-answer.ts'

/**
 * Lets an answer take the place of the one that has confirmed an event, in the transaction of its handler. The same
 * statement writes the audit row.
 *
 * @returns false when another answer, or none, confirms the event by now
 */
export async function supersedeAnswer(db: Db, answer: Answer): Promise<boolean> {
  const s = db.schema
  const rows = await db.rows(
    `with done as (
       update ${s}.event set confirmed_by = $2, confirmed_at = clock_timestamp(), updated_at = clock_timestamp()
       where id = $1 and status = 'CONFIRMED' and confirmed_by = $5 and awaits_from = $3 and type = coalesce($4, type)
       returning id),
     audited as (
       insert into ${s}.audit (actor, action, event_id, note, details)
       select 'steadfast', 'supersede-answer', id, 'its sender has corrected it', json_build_object('answerId', $2::text, 'supersedes', $5::text)
       from done)
     select id from done`,
    [answer.causationId, answer.answerId, answer.source, answer.answersType, answer.supersedes ?? null]
  )
  return rows.length === 1
}
