import { AGAIN, FRESH } from '../event/due-heads.ts'
import type { EventStatus } from '../event/stored-event.ts'

/** Which events; every member narrows. */
export interface EventFilter {
  status?: readonly EventStatus[]
  type?: string
  key?: string
  source?: string
  awaitsFrom?: string
  parkReason?: string
  correlationId?: string
  /** Events made since. */
  since?: Date
  /** Events made before. */
  until?: Date
  ids?: readonly string[]
  /** `true`: what is due and could not be sent, and what waits behind it because its topic is missing or may not be written. */
  failing?: boolean
  /** A piece of id, key, type, causation or correlation id, reason or error, in any case. Payloads are not searched. */
  search?: string
}

/** The lowest UUID v7 of a moment: what is made later sorts above it. */
export const floorUuid = (parameter: string): string =>
  `(lpad(to_hex(greatest(0, (extract(epoch from ${parameter}::timestamptz) * 1000)::bigint)), 12, '0') || repeat('0', 20))::uuid`

// By the index of what fails and those of what is due, instead of a walk through everything.
const failingIds = (s: string): string =>
  `select e.id from ${s}.event e where e.failing_since is not null and e.due
   union all
   select w.id from (
     select distinct e.topic from ${s}.event e where e.failing_since is not null and e.topic_unavailable_since is not null
   ) t cross join lateral (
     select e.id from ${s}.event e where ${FRESH} and e.topic = t.topic
     union all
     select e.id from ${s}.event e where ${AGAIN} and e.topic = t.topic
   ) w`

/** The predicate over the event table `e`, of schema `s`, with parameters $1 to $11, and their values. */
export function eventFilter(s: string, filter: EventFilter): { where: string; values: unknown[] } {
  const { status, type, key, source, awaitsFrom, parkReason, correlationId, since, until, search, ids, failing } =
    filter
  const where = `($1::text[] is null or e.status = any($1))
    and ($2::text is null or e.type = $2)
    and ($3::text is null or e.key = $3)
    and ($4::text is null or e.source = $4)
    and ($5::text is null or e.awaits_from = $5)
    and ($6::text is null or e.park_reason = $6)
    and ($7::text is null or e.correlation_id = $7)
    and ($8::timestamptz is null or e.id >= ${floorUuid('$8')})
    and ($9::timestamptz is null or e.id < ${floorUuid('$9')})
    and ($10::text is null or strpos(lower(concat_ws(E'\\n', e.id, e.key, e.type, e.causation_id, e.correlation_id, e.park_reason,
      e.last_error)), lower($10)) > 0)
    and ($11::uuid[] is null or e.id = any($11))
    ${failing === undefined ? '' : `and e.id ${failing ? '' : 'not'} in (${failingIds(s)})`}`
  const values = [status, type, key, source, awaitsFrom, parkReason, correlationId, since, until, search, ids]
  return { where, values: values.map(value => value ?? null) }
}
