import { selectList } from '../event/stored-event.ts'
import type { StoredDelivery } from './get-delivery.ts'

/** A row of the inbox without what the sender wrote. */
export type DeliverySummary = Omit<StoredDelivery, 'body' | 'envelope'>

/** The select list of a {@link DeliverySummary}; `i` is the alias of the table. */
export const deliverySummaryColumns = (i: string): string =>
  selectList(
    i,
    `consumer event_id:eventId arrival state key topic position source type reply_to:replyTo causation_id:causationId
     correlation_id:correlationId outcome attempts due_at:dueAt error replay_id:replayId received_at:receivedAt
     updated_at:updatedAt erased_at:erasedAt erased_hash:erasedHash`
  )
