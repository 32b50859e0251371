import type { Db } from '../../db.ts'
import { holdsData } from '../inbox/get-delivery.ts'

/** What the sender of a delivery wrote. */
export interface DeliveryData {
  /** `null` once the delivery is done. */
  body: Buffer | null
  headers: Record<string, string>
}

/**
 * Reads the body and the headers of a delivery for a person, with the audit row of that in the same statement: nobody sees
 * them without a trace. `undefined`, and no row: there is no such delivery, or nothing in it to be seen.
 */
export async function viewDelivery(
  db: Db,
  { consumer, eventId, actor }: { consumer: string; eventId: string; actor: string }
): Promise<DeliveryData | undefined> {
  const s = db.schema
  const rows = await db.rows<DeliveryData>(
    `with viewed as (
       select i.consumer, i.event_id, i.body, coalesce(i.envelope->'headers', '{}') as headers from ${s}.inbox i
       where i.consumer = $1 and i.event_id = $2::uuid and ${holdsData('i')}
     ), audited as (
       insert into ${s}.audit (actor, action, event_id, consumer) select $3::text, 'view', event_id, consumer from viewed
     )
     select body, headers from viewed`,
    [consumer, eventId, actor]
  )
  return rows[0]
}
