import type { Db } from '../../db.ts'
import { UNKNOWN_CODES } from '../inbox/find-known.ts'
import { sentId } from '../inbox/get-delivery.ts'
import type { DeliveryAction } from './reprocess-delivery.ts'

/** What the sender of a released delivery must be told. */
export interface ReleasedDelivery {
  /** The id under which the sender knows it. */
  eventId: string
  source: string
  type: string
  key: string
  replyTo: string | null
  correlationId: string | null
}

/** What stands in a released delivery as its error. */
export interface ReleaseError {
  status: number
  code: string
  message: string
}

/**
 * A person skips a delivery that is held, or that waits for a process that knows it: it becomes REFUSED with the person's note,
 * and the later ones of its topic and key go on. The audit row is written in the same statement; the refusal signal is the
 * caller's, in the same transaction. `undefined`: neither.
 *
 * Of one that nobody has vouched for the code stays, which says so: a person's note does not change that; see `findKnown`.
 */
export async function releaseDelivery(
  db: Db,
  { consumer, eventId, actor, note, error }: DeliveryAction & { error: ReleaseError }
): Promise<ReleasedDelivery | undefined> {
  const s = db.schema
  const rows = await db.rows<ReleasedDelivery>(
    `with before as (
       select i.state, i.attempts, i.error from ${s}.inbox i where i.consumer = $1 and i.event_id = $2::uuid
     ), released as (
       update ${s}.inbox i set state = 'REFUSED', due_at = null, outcome = ($5::json->>'status')::smallint, updated_at = clock_timestamp(),
         error = case when i.error->>'code' = any($6::text[]) then jsonb_set($5::jsonb, '{code}', to_jsonb(i.error->>'code'))::json else $5::json end
       where i.consumer = $1 and i.event_id = $2::uuid and i.state in ('HELD', 'UNKNOWN')
       returning i.consumer, i.event_id, i.source, i.type, i.key, i.reply_to, i.correlation_id, i.envelope
     ), audited as (
       insert into ${s}.audit (actor, action, event_id, consumer, note, details)
       select $3::text, 'release', r.event_id, r.consumer, $4::text, json_build_object('state', b.state, 'attempts', b.attempts, 'error', b.error)
       from released r, before b
     )
     select ${sentId('released')} as "eventId", source, type, key, reply_to as "replyTo", correlation_id as "correlationId" from released`,
    [consumer, eventId, actor, note ?? null, JSON.stringify(error), UNKNOWN_CODES]
  )
  return rows[0]
}
