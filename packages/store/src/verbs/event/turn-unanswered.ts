import type { Db } from '../../db.ts'

/** The topic of deliveries that tell a service of its own unanswered requests. No log has a topic of such a name. */
export const UNANSWERED_TOPIC = 'steadfast:unanswered'
/** Before the type of the request: the type of such a delivery. */
export const UNANSWERED_TYPE = 'steadfast.unanswered.'

/** What has become of a request that nobody answered, in the envelope of the delivery that tells of it. */
export interface Unanswered {
  /** A person may still do something about a PARKED one; a RESOLVED one is a person's decision. */
  status: 'PARKED' | 'RESOLVED'
  /** Why it was parked, e.g. REFUSED or UNCONFIRMED. */
  reason: string
  /** For people: what happened. */
  error: string
  /** When, RFC 3339. */
  at: string
  /** Who has resolved it. */
  resolvedBy?: string
  /** What that person wrote. */
  note?: string
}

/** SQL: what has become of the request `e`, as `reacted_to` keeps it. */
export const CHANGE = `e.status || ' ' || coalesce(e.park_reason, '')`
const UNREACTED = `e.status in ('PARKED', 'RESOLVED') and e.awaits_from is not null and e.erased_at is null and e.reacted_to is distinct from ${CHANGE}`

/**
 * Makes a delivery, due at once, of each request that was parked or resolved since the tables know of it (migration 7) and
 * of which no handler was told: each change once, whoever made it. A change that another one overtook is not told of, nor one
 * of a request that was erased.
 *
 * @returns how many
 */
export async function turnUnanswered(
  db: Db,
  { consumer, source, types, limit }: { consumer: string; source: string; types: readonly string[]; limit: number }
): Promise<number> {
  const s = db.schema
  const rows = await db.rows(
    `with chosen as materialized (
       select e.id from ${s}.event e
       where ${UNREACTED} and e.type = any($3::text[]) and e.source = $2
         and e.updated_at >= (select applied_at from ${s}.migration where version = 7)
       order by e.id limit $4
       for no key update skip locked
     ), turned as (
       update ${s}.event e set reacted_to = ${CHANGE} from chosen c where e.id = c.id and ${UNREACTED}
       returning e.id, e.seq, e.source, e.type, e.key, e.dataversion, e.payload, e.headers, e.correlation_id, e.status, e.park_reason,
         e.last_error, e.updated_at
     )
     insert into ${s}.inbox (consumer, event_id, key, topic, position, source, type, causation_id, correlation_id, envelope, state, due_at, body)
     select $1, gen_random_uuid(), t.key, '${UNANSWERED_TOPIC}', t.seq::text, t.source, '${UNANSWERED_TYPE}' || t.type, t.id, t.correlation_id,
       json_strip_nulls(json_build_object('id', t.id, 'source', t.source, 'type', '${UNANSWERED_TYPE}' || t.type, 'key', t.key,
         'sequence', lpad(t.seq::text, 19, '0'), 'dataVersion', t.dataversion, 'correlationId', t.correlation_id, 'attempt', 1, 'replay', false,
         'headers', t.headers, 'unanswered', json_build_object('status', t.status, 'reason', coalesce(t.park_reason, ''),
           'error', coalesce(t.last_error, ''), 'at', to_char(t.updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
           'resolvedBy', a.actor, 'note', a.note))),
       'RETRY', clock_timestamp(), convert_to(t.payload::text, 'UTF8')
     from turned t left join lateral (
       select a.actor, a.note from ${s}.audit a
       where t.status = 'RESOLVED' and a.event_id = t.id and a.action = 'resolve' order by a.id desc limit 1) a on true
     order by t.seq
     returning event_id`,
    [consumer, source, types, limit]
  )
  return rows.length
}
