import type { Db } from '../../db.ts'
import { sentId } from '../inbox/get-delivery.ts'

/** Which delivery, and who says what. */
export interface DeliveryAction {
  consumer: string
  eventId: string
  actor: string
  note?: string | undefined
}

/**
 * Lets the handler run again on a held or refused delivery, or on one that waits for a process that knows it, with its audit row
 * in the same statement: it becomes RETRY, due now, with no attempts counted. Where nobody knows it, its patience begins anew
 * once the retry has been due for as long. This consumer's refusal, if it was stored as the answer, is withdrawn, so that a
 * duplicate does not repeat it. `false`: none of these, or its body is gone.
 */
export async function reprocessDelivery(
  db: Db,
  { consumer, eventId, actor, note }: DeliveryAction,
  now?: Date
): Promise<boolean> {
  const s = db.schema
  const rows = await db.rows(
    `with before as (
       select i.state, i.attempts, i.error from ${s}.inbox i where i.consumer = $1 and i.event_id = $2::uuid
     ), reprocessed as (
       update ${s}.inbox i set state = 'RETRY', attempts = 0, due_at = coalesce($5::timestamptz, clock_timestamp()), updated_at = clock_timestamp()
       where i.consumer = $1 and i.event_id = $2::uuid and i.state in ('HELD', 'UNKNOWN', 'REFUSED') and i.body is not null
       returning i.consumer, i.event_id, i.envelope
     ), withdrawn as (
       update ${s}.event e set is_answer = false, updated_at = clock_timestamp() from reprocessed r
       where e.causation_id = ${sentId('r')} and e.type = 'steadfast.refused' and e.is_answer and e.payload->>'consumer' = r.consumer
     ), audited as (
       insert into ${s}.audit (actor, action, event_id, consumer, note, details)
       select $3::text, 'reprocess', r.event_id, r.consumer, $4::text, json_build_object('state', b.state, 'attempts', b.attempts, 'error', b.error)
       from reprocessed r, before b
     )
     select event_id from reprocessed`,
    [consumer, eventId, actor, note ?? null, now ?? null]
  )
  return rows.length === 1
}
