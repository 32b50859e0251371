import type { IndexChange } from '@steadfast/events/migrations'

/** What nobody was told of is found by its type. Made beside the traffic, for the table may be large. */
export const reactionsIndex: readonly IndexChange[] = [
  {
    index: 'event_unreacted',
    on: `event (type, id) where status in ('PARKED', 'RESOLVED') and awaits_from is not null
  and reacted_to is distinct from status || ' ' || coalesce(park_reason, '')`
  }
]
