import { fullIdOf } from '@steadfast/events'
import type { Db } from '../../db.ts'
import { type NewDelivery, UNFINISHED } from './get-delivery.ts'

/** The columns that {@link deliveryValues} fills: parameters $1 to $12. */
export const NEW_DELIVERY_COLUMNS =
  'consumer, event_id, key, topic, position, source, type, reply_to, causation_id, correlation_id, envelope, logged_at'

/**
 * The condition of every statement that stores a fresh delivery: it does not stand under its full id already, where it is
 * when its own id was taken. Whoever took it may be forgotten before.
 */
export const unlessUnderFullId = (schema: string): string =>
  `not exists (select from ${schema}.inbox o where o.consumer = $1 and o.event_id = $13)`

/** The values of a delivery in the order of {@link NEW_DELIVERY_COLUMNS}, and its full id: parameters $1 to $13. */
export function deliveryValues(delivery: NewDelivery): unknown[] {
  const { consumer, eventId, key, topic, position, source, type, replyTo, causationId, correlationId } = delivery
  const envelope = JSON.stringify(delivery.envelope)
  const loggedAt = delivery.loggedAt ?? null
  const values = [
    consumer,
    eventId,
    key,
    topic,
    position,
    source,
    type,
    replyTo,
    causationId,
    correlationId,
    envelope,
    loggedAt
  ]
  return [...values, fullIdOf(delivery)]
}

// The server's own limit comes after the handler's, so that a handler that idles too long is told so by its own.
const IDLE_GRACE_MS = 5_000

/** Settings of one transaction, as an item of FROM that is evaluated before what it is joined to; parameters from $`first` on. */
export const settingsFrom = (first: number) =>
  `(select set_config('lock_timeout', $${first}, true) as lock_timeout,
     set_config('statement_timeout', coalesce($${first + 1}, current_setting('statement_timeout')), true) as statement_timeout,
     set_config('idle_in_transaction_session_timeout',
       coalesce($${first + 2}, current_setting('idle_in_transaction_session_timeout')), true) as idle_timeout)`

/** Their values. Without `timeoutMs` the server's own limits of statements and idling stay. */
export const settingValues = (lockTimeoutMs: number, timeoutMs?: number): (string | null)[] => [
  String(lockTimeoutMs),
  timeoutMs === undefined ? null : String(timeoutMs),
  timeoutMs === undefined ? null : String(timeoutMs + IDLE_GRACE_MS)
]

/**
 * Takes a delivery in the transaction of its handler: the row says DONE and becomes true when the handler commits.
 *
 * A second handler of the same event waits here on the unique key until the first has ended; after `lockTimeoutMs`
 * PostgreSQL answers 55P03. That limit, and `timeoutMs` for statements and idling, stay for the rest of the transaction.
 *
 * @returns false when the event is known already, another event has its id, or unfinished deliveries of its topic and key
 * stand before it
 */
export async function receiveDelivery(
  db: Db,
  delivery: NewDelivery,
  lockTimeoutMs: number,
  timeoutMs?: number
): Promise<boolean> {
  const s = db.schema
  const rows = await db.rows(
    `insert into ${s}.inbox (${NEW_DELIVERY_COLUMNS}, state)
     select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::timestamptz, 'DONE'
     from ${settingsFrom(14)} as setting
     where setting.lock_timeout is not null and ${unlessUnderFullId(s)} and not exists (
       select from ${s}.inbox u where u.consumer = $1 and u.topic = $4 and u.key = $3 and u.state in ${UNFINISHED})
     on conflict (consumer, event_id) do nothing
     returning arrival`,
    [...deliveryValues(delivery), ...settingValues(lockTimeoutMs, timeoutMs)]
  )
  return rows.length > 0
}
