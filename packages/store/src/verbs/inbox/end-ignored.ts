import type { Db } from '../../db.ts'

/** The outcome of a delivery that nobody knew and that a process of its consumer ignores. */
const NO_CONTENT = 204

/**
 * Ends a delivery that was left for a process that knows it, when the patience is over: this process declares that its
 * consumer ignores the type.
 *
 * @returns false when it is no longer left, or its patience not over
 */
export async function endIgnored(db: Db, consumer: string, eventId: string, now?: Date): Promise<boolean> {
  const rows = await db.rows(
    `update ${db.schema}.inbox
     set state = 'DONE', outcome = $3, body = null, error = null, due_at = null, updated_at = clock_timestamp()
     where consumer = $1 and event_id = $2 and state = 'UNKNOWN' and due_at <= coalesce($4::timestamptz, clock_timestamp())
     returning event_id`,
    [consumer, eventId, NO_CONTENT, now]
  )
  return rows.length > 0
}
