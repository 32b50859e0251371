import type { Db } from '../../db.ts'
import { firstDue } from '../event/due-heads.ts'
import type { EventStatus } from '../event/stored-event.ts'
import type { DeliveryState } from '../inbox/get-delivery.ts'

/** How many, of everything a person on duty asks for. */
export interface EventCounts {
  events: Record<EventStatus, number>
  /** The relay shall send so many. */
  due: number
  /** Age of the oldest of them, ms; `null` when none is due. */
  oldestDueMs: number | null
  /** Published, unconfirmed and past their deadline: the sweeper's next. */
  overdue: number
  parked: { reason: string; count: number }[]
  /** By consumer. */
  inbox: Record<string, Record<DeliveryState, number>>
}

/** Counts events by status and deliveries by state. Reads the whole tables. */
export async function countEvents(db: Db): Promise<EventCounts> {
  const s = db.schema
  const events = { NEW: 0, PUBLISHED: 0, CONFIRMED: 0, PARKED: 0, RESOLVED: 0 }
  for (const row of await db.rows<{ status: EventStatus; count: number }>(
    `select status, count(*)::int as count from ${s}.event group by status`
  ))
    events[row.status] = row.count
  const [work] = await db.rows<{ due: number; oldestDueMs: number | null; overdue: number }>(
    `${firstDue(s)}
     select (select count(*) from ${s}.event where due)::int as due,
       (select (extract(epoch from clock_timestamp() - created_at) * 1000)::float8 from first_due) as "oldestDueMs",
       (select count(*) from ${s}.event where status = 'PUBLISHED' and deadline < clock_timestamp() and not due)::int as overdue`
  )
  const parked = await db.rows<{ reason: string; count: number }>(
    `select coalesce(park_reason, '') as reason, count(*)::int as count from ${s}.event where status = 'PARKED' group by 1 order by 2 desc, 1`
  )
  const inbox: EventCounts['inbox'] = {}
  for (const row of await db.rows<{ consumer: string; state: DeliveryState; count: number }>(
    `select consumer, state, count(*)::int as count from ${s}.inbox group by consumer, state order by consumer`
  )) {
    inbox[row.consumer] ??= { DONE: 0, RETRY: 0, BLOCKED: 0, UNKNOWN: 0, HELD: 0, REFUSED: 0 }
    const states = inbox[row.consumer]
    if (states) states[row.state] = row.count
  }
  return {
    events,
    due: work?.due ?? 0,
    oldestDueMs: work?.oldestDueMs ?? null,
    overdue: work?.overdue ?? 0,
    parked,
    inbox
  }
}
