import type { Db } from '../../db.ts'
import { type EventSummary, summaryColumns } from '../event/stored-event.ts'
import { getDelivery, type StoredDelivery } from '../inbox/get-delivery.ts'
import { type AuditEntry, listAudit } from './list-audit.ts'

/** All that this service knows of one delivery. */
export interface DeliveryStory {
  delivery: StoredDelivery
  /** What this service sent because of it, answers and signals included. */
  caused: EventSummary[]
  /** The newest hundred, without who only looked. */
  audit: AuditEntry[]
}

/** One delivery's whole story at its consumer; `undefined` when there is none. */
export async function storyOfDelivery(db: Db, consumer: string, eventId: string): Promise<DeliveryStory | undefined> {
  const delivery = await getDelivery(db, consumer, eventId)
  if (delivery === undefined) return undefined
  const caused = await db.rows<EventSummary>(
    `select ${summaryColumns('e')} from ${db.schema}.event e where e.causation_id = $1::uuid order by e.seq limit 100`,
    [eventId]
  )
  return { delivery, caused, audit: await listAudit(db, { eventId, deeds: true }, { limit: 100 }) }
}
