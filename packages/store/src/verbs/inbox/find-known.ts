import { fullIdOf } from '@steadfast/events'
import type { Db } from '../../db.ts'
import {
  DELIVERY_COLUMNS,
  type DeliveryColumns,
  deliveryOf,
  type NewDelivery,
  type StoredDelivery
} from './get-delivery.ts'

/** What stands in the place of a delivery; see {@link findKnown}. */
export type Known =
  /** Nothing. */
  | { fit: 'none' }
  /** The event itself: the delivery is a duplicate. */
  | { fit: 'same'; known: StoredDelivery }
  /** Another event has its id: this one is known under `eventId`. */
  | { fit: 'other'; eventId: string }
  /** Its source has used the id for something else, on another topic or of another type. */
  | { fit: 'reused'; known: StoredDelivery }

/**
 * Looks for what is known of a delivery whose row could not be written. An event is identified by source and id; a row is
 * taken for the event only if type and topic agree too.
 *
 * What no handler has vouched for, since nobody knew its type, takes no id away: its source may be anybody.
 */
export async function findKnown(db: Db, delivery: NewDelivery): Promise<Known> {
  const eventId = fullIdOf(delivery)
  const found = await db.rows<DeliveryColumns>(
    `select ${DELIVERY_COLUMNS} from ${db.schema}.inbox i where i.consumer = $1 and i.event_id = any($2::uuid[])`,
    [delivery.consumer, [delivery.eventId, eventId]]
  )
  const rows = found.map(deliveryOf)
  const same = rows.find(row => isSameEvent(row, delivery))
  if (same !== undefined) return { fit: 'same', known: same }
  const [known] = rows
  if (known === undefined) return { fit: 'none' }
  if (known.source !== delivery.source || !isVouchedFor(known)) return { fit: 'other', eventId }
  return { fit: 'reused', known }
}

/** Whether a row is that of a delivery, and not of another event under the same id. */
export const isSameEvent = (row: NewDelivery, delivery: NewDelivery): boolean =>
  row.source === delivery.source && row.type === delivery.type && row.topic === delivery.topic

/** In a row whose type nobody has known so far: nobody has vouched for it. */
export const UNKNOWN_CODES: readonly string[] = ['SF_INBOX_UNKNOWN_TYPE', 'SF_INBOX_NEWER_VERSION']

// The reason is in the row until a handler has spoken, also while it is blocked behind others and after it was refused.
const isVouchedFor = ({ state, error }: StoredDelivery) =>
  state !== 'UNKNOWN' && !UNKNOWN_CODES.includes(error?.code ?? '')
