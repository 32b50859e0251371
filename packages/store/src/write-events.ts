import type { NewEvent } from '@steadfast/events'
import type { Db } from './db.ts'

/**
 * Writes events into the outbox: one statement, one text parameter. `seq` is given in the order of the list.
 *
 * Should be the last statement before COMMIT, so that the order of `seq` is the order of commits for transactions that
 * conflict on a row. The correlation id of an event without one is that of the event which caused it, else its own id.
 */
export async function writeEvents(db: Db, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return
  const s = db.schema
  await db.rows(
    `insert into ${s}.event (id, lane, source, type, topic, key, dataversion, payload, headers, max_sends, awaits_from, reply_to,
       confirm_within_ms, resend_backoff, give_up_at, causation_id, correlation_id, is_answer)
     select e.id, e.lane, e.source, e.type, e.topic, e.key, e."dataVersion", e.payload::json, e.headers, e."maxSends", e."awaitsFrom", e."replyTo",
       e."confirmWithinMs", e."resendBackoff", clock_timestamp() + e."giveUpAfterMs" * interval '1 ms', e."causationId",
       coalesce(e."correlationId",
         (select i.correlation_id from ${s}.inbox i where i.consumer = e.source and i.event_id = e."causationId"),
         (select c.correlation_id from ${s}.event c where c.id = e."causationId"),
         e."causationId"::text, e.id::text),
       e."isAnswer"
     from rows from (json_to_recordset($1::json) as (id uuid, lane smallint, source text, type text, topic text, key text, "dataVersion" text,
       payload text, headers json, "maxSends" integer, "awaitsFrom" text, "replyTo" text, "confirmWithinMs" integer, "resendBackoff" real,
       "giveUpAfterMs" bigint, "causationId" uuid, "correlationId" text, "isAnswer" boolean)) with ordinality as e(id, lane, source, type, topic,
       key, "dataVersion", payload, headers, "maxSends", "awaitsFrom", "replyTo", "confirmWithinMs", "resendBackoff", "giveUpAfterMs",
       "causationId", "correlationId", "isAnswer", position)
     order by e.position`,
    [JSON.stringify(events)]
  )
}
