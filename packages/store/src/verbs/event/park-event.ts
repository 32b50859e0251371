import type { Db } from '../../db.ts'

/** A verdict that ends the machine's work on an event; see {@link parkEvent}. */
export interface Parking {
  id: string
  /** The source that gave the verdict; when given, it must be the one the event awaits its answer from. */
  from?: string
  reason: 'REFUSED' | 'ANSWER_REFUSED' | 'ANSWER_HELD'
  /** For people: what happened, and where to look. */
  error: string
  /** The answer that could not be handled here. */
  confirmedBy?: string
}

/**
 * Parks an event by a verdict on it, or because its answer could not be handled. `due` stays as it is: a pending first
 * mark must still count. One that was parked because nobody had answered, or because its topic could not be written, stays
 * parked, and from now on says why: whoever sent it again and again would not find out.
 *
 * @returns false when something else is known of it already, or the verdict is not from whom it awaits one
 */
export async function parkEvent(db: Db, parking: Parking): Promise<boolean> {
  const rows = await db.rows(
    `update ${db.schema}.event
     set status = 'PARKED', park_reason = $3, last_error = $4, confirmed_by = coalesce($5, confirmed_by), updated_at = clock_timestamp()
     where id = $1 and awaits_from = coalesce($2, awaits_from)
       and (status in ('NEW', 'PUBLISHED') or (status = 'PARKED' and park_reason in ('UNCONFIRMED', 'TOPIC_UNAVAILABLE')))
     returning id`,
    [parking.id, parking.from, parking.reason, parking.error, parking.confirmedBy]
  )
  return rows.length > 0
}
