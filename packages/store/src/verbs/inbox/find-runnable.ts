import type { Db } from '../../db.ts'
import { UNANSWERED_TOPIC } from '../event/turn-unanswered.ts'
import { DELIVERY_COLUMNS, type DeliveryColumns, deliveryOf, type StoredDelivery, UNFINISHED } from './get-delivery.ts'

/** Which of the deliveries that may run. */
export interface RunnableQuery {
  limit: number
  /** Ids of events that are left out, e.g. because they run already. */
  except?: readonly string[]
  /** Types that are left out. */
  exceptTypes?: readonly string[]
  /** Default: everything is known. */
  known?: KnownTypes | undefined
}

/** The types that a process declares for a consumer, each with the version of its data, and its patience with others. */
export interface KnownTypes {
  types: readonly string[]
  /** By index of `types`; null: any version. */
  versions: readonly (string | null)[]
  /** How long what it does not know is left for a process that does, in ms. */
  patienceMs: number
}

// Without a backslash, which `standard_conforming_strings = off` would take for an escape.
const VERSION = `'^[0-9]{1,9}([.][0-9]{1,9}){0,9}$'`
const numbers = (v: string) => `string_to_array(regexp_replace(${v}, '([.]0+)+$', ''), '.')::numeric[]`
/** Whether a version is newer than another: by its numbers. What has no such form is never newer. */
const isNewer = (a: string, b: string) =>
  `case when ${a} ~ ${VERSION} and ${b} ~ ${VERSION} then ${numbers(a)} > ${numbers(b)} else false end`

/**
 * SQL for behind `with recursive`: as `head`, the first unfinished delivery of each topic and key of the consumer $1. Hops from
 * key to key in the index, so that many deliveries behind one held cost nothing.
 */
export function heads(s: string): string {
  const first = `select u.topic, u.key, u.arrival, u.event_id, u.state, u.due_at from ${s}.inbox u
    where u.consumer = $1 and u.state in ${UNFINISHED}`
  return `head as (
       (${first} order by u.topic, u.key, u.arrival limit 1)
       union all
       select n.* from head h cross join lateral (${first}
         and (u.topic, u.key) > (h.topic, h.key) order by u.topic, u.key, u.arrival limit 1) n
     )`
}

/**
 * The deliveries set aside that may run now: the first unfinished one of each topic and key, if it is blocked no longer, its
 * retry is due, or it was left by a process that did not know it.
 *
 * Of what is not among the `known` (default: everything is) only that which wants something of a process that does not know
 * it: one blocked no longer, a retry that nobody ran for the patience, one whose patience is over. What tells of this service's
 * own unanswered requests waits for a process that knows it, however long.
 */
export async function findRunnable(
  db: Db,
  consumer: string,
  { limit, except = [], exceptTypes = [], known }: RunnableQuery,
  now?: Date
): Promise<StoredDelivery[]> {
  const s = db.schema
  const rows = await db.rows<DeliveryColumns>(
    `with recursive clock as materialized (
       select coalesce($3::timestamptz, clock_timestamp()) as now, coalesce($8::float8, 0) * interval '1 ms' as patience
     ), ${heads(s)}
     select ${DELIVERY_COLUMNS} from head h join ${s}.inbox i on i.consumer = $1 and i.event_id = h.event_id cross join clock
     where h.event_id <> all($4::uuid[]) and i.type <> all($5::text[])
       and case when $6::text[] is null or exists (select from unnest($6::text[], $7::text[]) as k (type, version)
         where k.type = i.type and not (${isNewer(`(i.envelope->>'dataVersion')`, 'k.version')}))
       then h.state in ('BLOCKED', 'UNKNOWN') or h.state = 'RETRY' and h.due_at <= clock.now
       else i.topic <> '${UNANSWERED_TOPIC}' and (h.state = 'BLOCKED' or h.state = 'UNKNOWN' and h.due_at <= clock.now
         or h.state = 'RETRY' and h.due_at <= clock.now - clock.patience) end
     order by i.arrival
     limit $2`,
    [
      consumer,
      limit,
      now,
      except,
      exceptTypes,
      known?.types ?? null,
      known?.versions ?? null,
      known?.patienceMs ?? null
    ]
  )
  return rows.map(deliveryOf)
}
