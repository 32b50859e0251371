import type { DeliveryState, EventFilter, EventStatus, InboxFilter } from '@steadfast/store/internal'

interface AskedEvents extends Omit<EventFilter, 'status' | 'since' | 'until' | 'ids'> {
  status?: EventStatus | EventStatus[]
  since?: string
  until?: string
}

/** A filter as it came with a request, as the store takes it. */
export function eventFilterOf({ status, since, until, ...rest }: AskedEvents): EventFilter {
  return {
    ...rest,
    ...(status === undefined ? {} : { status: [status].flat() }),
    ...(since === undefined ? {} : { since: new Date(since) }),
    ...(until === undefined ? {} : { until: new Date(until) })
  }
}

interface AskedDeliveries extends Omit<InboxFilter, 'state' | 'consumer'> {
  state?: DeliveryState | DeliveryState[]
}

/** A filter as it came with a request, as the store takes it. */
export function inboxFilterOf(consumer: string, { state, ...rest }: AskedDeliveries): InboxFilter {
  return { consumer, ...rest, ...(state === undefined ? {} : { state: [state].flat() }) }
}

/** A page of rows and where the next one begins; `null` when this was the last. */
export function pageOf<Row>(items: Row[], limit: number, cursorOf: (row: Row) => string) {
  const last = items.length === limit ? items.at(-1) : undefined
  return { items, next: last === undefined ? null : cursorOf(last) }
}
