import type { NewEvent } from '@steadfast/events'
import type { Db } from '../../db.ts'
import { consumers } from '../inbox/consumers.ts'
import { answersOf } from '../inbox/current-replay.ts'

/**
 * Writes events into the outbox: one statement, one text parameter. `seq` is given in the order of the list.
 *
 * Should be the last statement before COMMIT, so that the order of `seq` is the order of commits for transactions that
 * conflict on a row. The correlation id of an event without one is that of the event which caused it, else its own id.
 *
 * A late answer to an event that a replay has run again, of a type in which that event was answered before, is not just
 * one more: where the replay corrects answers it supersedes the stored one; else it is that one, takes its id, and is
 * not written. A superseding answer and the one it supersedes name each other, and an audit row says so.
 *
 * @returns the events that were written
 */
export async function writeEvents(db: Db, events: readonly NewEvent[]): Promise<readonly NewEvent[]> {
  if (events.length === 0) return events
  const mayCorrect = events.some(({ isLateAnswer, supersedes }) => isLateAnswer || supersedes !== undefined)
  const values = [JSON.stringify(events)]
  if (!mayCorrect) {
    await db.rows(`with ${given} ${insertInto(db.schema, PLAIN)}`, values)
    return events
  }
  const held = await db.rows<{ id: string; stored: string }>(correct(db.schema), values)
  const stored = new Map(held.map(row => [row.id, row.stored]))
  return events.filter(event => {
    const before = stored.get(event.id)
    if (before !== undefined) event.id = before
    return before === undefined
  })
}

const given = `given as materialized (
  select * from rows from (json_to_recordset($1::json) as (id uuid, lane smallint, source text, type text, topic text, key text, "dataVersion" text,
    payload text, headers json, "maxSends" integer, "awaitsFrom" text, "awaitsReceipt" boolean, "replyTo" text, "confirmWithinMs" integer, "resendBackoff" real,
    "giveUpAfterMs" bigint, "causationId" uuid, "correlationId" text, "isAnswer" boolean, supersedes uuid, "isLateAnswer" boolean)) with ordinality as e(id,
    lane, source, type, topic, key, "dataVersion", payload, headers, "maxSends", "awaitsFrom", "awaitsReceipt", "replyTo", "confirmWithinMs", "resendBackoff",
    "giveUpAfterMs", "causationId", "correlationId", "isAnswer", supersedes, "isLateAnswer", position))`

/** Where the rows come from, as `e`, and what is known of them beside. */
interface Origin {
  from: string
  headers: string
  correlation: string
  supersedes: string
}
const PLAIN: Origin = { from: 'given e', headers: 'e.headers', correlation: 'null', supersedes: 'null::uuid' }
/** A late answer goes on with the trace of what it answers, unless its sender is in one of its own. */
const CORRECTED: Origin = {
  from: 'written e left join cause k on k.id = e.id',
  headers: `case when k.trace is null or e.headers->'traceparent' is not null then e.headers else (k.trace || e.headers::jsonb)::json end`,
  correlation: 'k.correlation_id',
  supersedes: 'e.old'
}

const insertInto = (s: string, { from, headers, correlation, supersedes }: Origin) =>
  `insert into ${s}.event (id, lane, source, type, topic, key, dataversion, payload, headers, max_sends, awaits_from, awaits_receipt, reply_to,
     confirm_within_ms, resend_backoff, give_up_at, causation_id, correlation_id, is_answer, supersedes)
   select e.id, e.lane, e.source, e.type, e.topic, e.key, e."dataVersion", e.payload::json, ${headers}, e."maxSends", e."awaitsFrom", e."awaitsReceipt", e."replyTo",
     e."confirmWithinMs", e."resendBackoff", clock_timestamp() + e."giveUpAfterMs" * interval '1 ms', e."causationId",
     coalesce(e."correlationId", ${correlation},
       (select i.correlation_id from ${s}.inbox i where i.consumer = e.source and i.event_id = e."causationId"),
       (select c.correlation_id from ${s}.event c where c.id = e."causationId"),
       e."causationId"::text, e.id::text),
     e."isAnswer", ${supersedes}
   from ${from} order by e.position`

/** What a rerun had answered before is older than its note, what it answered itself is not. */
const correct = (s: string) =>
  `with recursive ${given},
   ${consumers(s)},
   cause as materialized (
     select distinct on (e.id) e.id, i.correlation_id,
       nullif(json_strip_nulls(json_build_object('traceparent', i.envelope->'headers'->'traceparent',
         'tracestate', i.envelope->'headers'->'tracestate'))::jsonb, '{}') as trace
     from given e cross join consumers c join ${s}.inbox i on i.consumer = c.name and i.event_id = e."causationId"
     where e."isLateAnswer" order by e.id, i.arrival
   ),
   rerun as materialized (
     select distinct on (e.id) e.id, e.source, e.type, e."causationId", x.at, ${answersOf('r')} as answers
     from given e join ${s}.replay_item x on x.event_id = e."causationId" and x.state = 'DONE' join ${s}.replay r on r.id = x.replay_id
     where e."isLateAnswer" and e.supersedes is null order by e.id, x.at desc
   ),
   late as materialized (
     select r.id, r.answers, p.id as stored from rerun r cross join lateral (
       select p.id from ${s}.event p
       where p.causation_id = r."causationId" and p.source = r.source and p.type = r.type and p.is_answer and p.superseded_by is null
         and p.created_at < r.at
       order by p.seq desc limit 1) p
   ),
   written as materialized (
     select e.*, coalesce(e.supersedes, late.stored) as old from given e left join late on late.id = e.id
     where late.id is null or late.answers = 'corrected'
   ),
   linked as (
     update ${s}.event p set superseded_by = w.id, updated_at = clock_timestamp() from written w
     where p.id = w.old and p.source = w.source and p.is_answer and p.superseded_by is null
   ),
   audited as (
     insert into ${s}.audit (actor, action, event_id, note, details)
     select 'steadfast', 'supersede-answer', id, 'a rerun has corrected it', json_build_object('supersedes', old, 'inReplyTo', "causationId")
     from written where old is not null
   ),
   inserted as (${insertInto(s, CORRECTED)})
   select id::text, stored::text from late where answers <> 'corrected'`
