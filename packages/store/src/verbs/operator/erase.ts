import { type Db, DEFAULT_SCHEMA, type Queryable, storeOn } from '../../db.ts'
import { CHANGE, UNANSWERED_TOPIC } from '../event/turn-unanswered.ts'
import { holdsData } from '../inbox/get-delivery.ts'

/** Whose data, and who says so. */
export type Erasure = ({ key: string } | { eventId: string }) & {
  actor: string
  /** Stands in the audit for good: let it name nobody. */
  note: string
  /** Held deliveries too: their handler cannot run again then; a person can still release them. Default false. */
  held?: boolean | undefined
  /** Resolved requests of which no handler was told too: none will be then. Default false. */
  untold?: boolean | undefined
  /** Where Steadfast's tables are. Default `steadfast`. */
  schema?: string
}

/** How many rows were emptied now, and how many still hold data, because these are still needed. */
export interface ErasedCount {
  erased: number
  left: number
}

/** What an erasure did. */
export interface Erased {
  events: ErasedCount
  deliveries: ErasedCount
  /** What stands for the key in the audit: its SHA-256, in hexadecimal. `null`: by an event's id. */
  keyHash: string | null
}

const hash = (bytes: string) => `encode(sha256(${bytes}), 'hex')`

// What is due is still to be sent, what awaits an answer is sent again, and what is parked waits for a person.
const FINISHED_EVENT = `e.erased_at is null and not e.due and (e.status = 'CONFIRMED'
  or e.status in ('PUBLISHED', 'RESOLVED') and e.awaits_from is null
  or e.status = 'RESOLVED' and ($6::boolean or e.reacted_to is not distinct from ${CHANGE}))`
const FINISHED_DELIVERY = `${holdsData('i')} and (i.state in ('DONE', 'REFUSED') or i.state = 'HELD' and $5::boolean)`
const THE_EVENT = '(e.key = $1::text or e.id = $2::uuid)'
// A delivery that tells of an unanswered request has its data, under an id of its own.
const THE_DELIVERY = `(i.key = $1::text or i.event_id = $2::uuid or i.topic = '${UNANSWERED_TOPIC}' and i.causation_id = $2::uuid)`
const WITHOUT_HEADERS = `coalesce((select json_object_agg(m.key, case m.key when 'headers' then '{}'::json else m.value end)
  from json_each(i.envelope) m), i.envelope)`

/**
 * Erases what senders wrote in the events and deliveries of a key, or of one event's id, that are finished: payload, body
 * and headers. A hash of what was there stays, with the time; so do key, ids, times, error texts and notes. What is still
 * needed is left and counted: an event that is due, awaits its answer or is parked; a delivery that waits, or is held. What
 * another transaction has locked counts as left. Do it again later.
 *
 * One statement with one audit row, which has a hash in the place of the key. It reads both tables whole. Nothing erased is
 * sent again or handled again.
 *
 * @throws SF_STORE_IDENTIFIER_INVALID
 */
export async function erase(handle: Queryable, erasure: Erasure): Promise<Erased> {
  return await eraseData(storeOn(handle, erasure.schema ?? DEFAULT_SCHEMA), erasure)
}

/** {@link erase}, on a handle that is bound already. */
export async function eraseData(db: Db, erasure: Omit<Erasure, 'schema'>): Promise<Erased> {
  const { actor, note, held = false, untold = false } = erasure
  const key = 'key' in erasure ? erasure.key : null
  const eventId = 'eventId' in erasure ? erasure.eventId : null
  const [row] = await db.rows<Counts>(eraseSql(db.schema), [key, eventId, actor, note, held, untold])
  const { events = 0, eventsLeft = 0, deliveries = 0, deliveriesLeft = 0, keyHash = null } = row ?? {}
  return {
    events: { erased: events, left: eventsLeft },
    deliveries: { erased: deliveries, left: deliveriesLeft },
    keyHash
  }
}

interface Counts {
  events: number
  eventsLeft: number
  deliveries: number
  deliveriesLeft: number
  keyHash: string | null
}

// Their age counts from when they were finished: `updated_at` stays, for the purge.
const eraseSql = (s: string) => `
  with chosen_event as materialized (
    select e.id from ${s}.event e where ${THE_EVENT} and ${FINISHED_EVENT} order by e.id for no key update skip locked
  ), erased_event as (
    update ${s}.event e set payload = 'null', headers = '{}', erased_at = clock_timestamp(),
      erased_hash = ${hash(`convert_to(e.payload::text, 'UTF8')`)}
    from chosen_event c where e.id = c.id and ${FINISHED_EVENT}
    returning e.id
  ), chosen_delivery as materialized (
    select i.consumer, i.event_id from ${s}.inbox i where ${THE_DELIVERY} and ${FINISHED_DELIVERY}
    order by i.consumer, i.event_id for no key update skip locked
  ), erased_delivery as (
    update ${s}.inbox i set body = null, envelope = ${WITHOUT_HEADERS}, erased_at = clock_timestamp(), erased_hash = ${hash('i.body')}
    from chosen_delivery c where i.consumer = c.consumer and i.event_id = c.event_id and ${FINISHED_DELIVERY}
    returning i.consumer, i.event_id
  ), counted as materialized (
    select (select count(*)::integer from erased_event) as events,
      (select count(*)::integer from ${s}.event e where ${THE_EVENT} and e.erased_at is null
         and not exists (select from erased_event x where x.id = e.id)) as events_left,
      (select count(*)::integer from erased_delivery) as deliveries,
      (select count(*)::integer from ${s}.inbox i where ${THE_DELIVERY} and ${holdsData('i')}
         and not exists (select from erased_delivery x where x.consumer = i.consumer and x.event_id = i.event_id)) as deliveries_left,
      ${hash(`convert_to($1::text, 'UTF8')`)} as key_hash
  ), audited as (
    insert into ${s}.audit (actor, action, event_id, note, details)
    select $3::text, 'erase', $2::uuid, $4::text, json_build_object('keyHash', key_hash, 'events', events, 'eventsLeft', events_left,
      'deliveries', deliveries, 'deliveriesLeft', deliveries_left) from counted
  )
  select events, events_left as "eventsLeft", deliveries, deliveries_left as "deliveriesLeft", key_hash as "keyHash" from counted`
