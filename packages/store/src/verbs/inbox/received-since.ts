import type { Db } from '../../db.ts'
import { floorUuid } from '../operator/event-filter.ts'
import type { Page } from '../operator/list-events.ts'
import type { DeliveryState } from './get-delivery.ts'

/** One event that a consumer has received. */
export interface ReceivedEvent {
  id: string
  type: string
  key: string
  state: DeliveryState
  receivedAt: Date
}

/**
 * What a consumer received from one source, of the events made since a moment, by id. For comparing ledgers: ids that
 * are no UUID v7 (of foreign producers) carry no time and fall where they fall.
 */
export async function receivedSince(
  db: Db,
  { consumer, source, since }: { consumer: string; source: string; since: Date },
  { after, limit }: Page
): Promise<ReceivedEvent[]> {
  return db.rows(
    `select i.event_id as id, i.type, i.key, i.state, i.received_at as "receivedAt" from ${db.schema}.inbox i
     where i.consumer = $1 and i.source = $2 and i.event_id >= ${floorUuid('$3')} and ($4::uuid is null or i.event_id > $4)
     order by i.event_id limit $5`,
    [consumer, source, since, after ?? null, limit]
  )
}
