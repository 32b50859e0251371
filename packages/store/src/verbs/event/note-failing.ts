import type { Db } from '../../db.ts'

/** A send that failed, of an event as it was read. */
export interface FailedSend {
  id: string
  count: number
  error: string
  /** The broker answered that the topic is missing, or that it may not be written. */
  topicUnavailable: boolean
}

/**
 * Writes on events that stay due why they cannot be sent, and since when. A row that says so already is not written
 * again, and one in another transaction's hands is passed over: it is a note for people.
 */
export async function noteFailing(db: Db, failed: readonly FailedSend[], now?: Date): Promise<void> {
  if (failed.length === 0) return
  const s = db.schema
  await db.rows(
    `with clock as materialized (select coalesce($5::timestamptz, clock_timestamp()) as now),
     noted as (
       select e.id, f.error, f.unavailable
       from unnest((select $1::uuid[]), (select $2::integer[]), (select $3::text[]), (select $4::boolean[])) as f(id, count, error, unavailable)
       join ${s}.event e on e.id = f.id and e.due and e.count = f.count
       where e.failing_since is null or e.last_error is distinct from f.error or f.unavailable <> (e.topic_unavailable_since is not null)
       for update of e skip locked
     )
     update ${s}.event e set
       last_error = n.error,
       failing_since = coalesce(e.failing_since, clock.now),
       topic_unavailable_since = case when n.unavailable then coalesce(e.topic_unavailable_since, clock.now) end
     from noted n, clock
     where e.id = n.id`,
    [
      `{${failed.map(({ id }) => id).join()}}`,
      `{${failed.map(({ count }) => count).join()}}`,
      failed.map(({ error }) => error.replaceAll('\u0000', '')),
      failed.map(({ topicUnavailable }) => topicUnavailable),
      now ?? null
    ]
  )
}
