import type { Db } from './db.ts'
import { sentId } from './get-delivery.ts'
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
 * A person skips a held delivery: it becomes REFUSED with the person's note, and the later ones of its topic and key go on. The audit row is
 * written in the same statement; the refusal signal is the caller's, in the same transaction. `undefined`: not held.
 */
export async function releaseHeld(
  db: Db,
  { consumer, eventId, actor, note, error }: DeliveryAction & { error: ReleaseError }
): Promise<ReleasedDelivery | undefined> {
  const s = db.schema
  const rows = await db.rows<ReleasedDelivery>(
    `with before as (
       select i.attempts, i.error from ${s}.inbox i where i.consumer = $1 and i.event_id = $2::uuid
     ), released as (
       update ${s}.inbox i set state = 'REFUSED', due_at = null, outcome = ($5::json->>'status')::smallint, error = $5::json, updated_at = clock_timestamp()
       where i.consumer = $1 and i.event_id = $2::uuid and i.state = 'HELD'
       returning i.consumer, i.event_id, i.source, i.type, i.key, i.reply_to, i.correlation_id, i.envelope
     ), audited as (
       insert into ${s}.audit (actor, action, event_id, consumer, note, details)
       select $3::text, 'release', r.event_id, r.consumer, $4::text, json_build_object('attempts', b.attempts, 'error', b.error)
       from released r, before b
     )
     select ${sentId('released')} as "eventId", source, type, key, reply_to as "replyTo", correlation_id as "correlationId" from released`,
    [consumer, eventId, actor, note ?? null, JSON.stringify(error)]
  )
  return rows[0]
}
