import type { Db } from '../../db.ts'
import { ANSWER_FITS, type Answer, answerValues } from './check-answer.ts'

/**
 * Confirms an event by its answer, in the transaction of the answer's handler. An answer may overtake the mark of the
 * relay, and come late to a parked event, which it un-parks; the same statement writes the audit row. If the handler of what
 * stays unanswered has run since the answer was looked at, it changes nothing.
 *
 * `due` stays as it is: a pending first mark must still count.
 */
export async function confirmEvent(db: Db, answer: Answer): Promise<'confirmed' | 'unparked' | 'unchanged'> {
  const s = db.schema
  const rows = await db.rows<{ status: string }>(
    `with found as (
       select id, status, park_reason, last_error from ${s}.event where id = $1 for no key update),
     done as (
       update ${s}.event e
       set status = 'CONFIRMED', confirmed_at = clock_timestamp(), confirmed_by = $2, park_reason = null, updated_at = clock_timestamp()
       from found f
       where e.id = f.id and e.status in ('NEW', 'PUBLISHED', 'PARKED') and e.awaits_from = $3 and ${ANSWER_FITS}
         and ($6::boolean is null or (e.reacted_at is not null) = $6)
       returning e.id, f.status, f.park_reason, f.last_error),
     audited as (
       insert into ${s}.audit (actor, action, event_id, note, details)
       select 'steadfast', 'unpark', id, 'its answer came',
         json_build_object('answerId', $2::text, 'parkReason', park_reason, 'lastError', last_error)
       from done where status = 'PARKED')
     select status from done`,
    [...answerValues(answer), answer.reacted ?? null]
  )
  const before = rows[0]?.status
  if (before === undefined) return 'unchanged'
  return before === 'PARKED' ? 'unparked' : 'confirmed'
}
