import type { Db } from '../../db.ts'

/** Records what a person, or the machine in a person's place, did. Belongs into the transaction of the deed. */
export async function writeAudit(
  db: Db,
  entry: {
    actor: string
    action: string
    eventId?: string | undefined
    consumer?: string | undefined
    note?: string | undefined
    details?: unknown
  }
): Promise<void> {
  const { actor, action, eventId, consumer, note, details } = entry
  await db.rows(
    `insert into ${db.schema}.audit (actor, action, event_id, consumer, note, details) values ($1, $2, $3::uuid, $4, $5, $6::json)`,
    [
      actor,
      action,
      eventId ?? null,
      consumer ?? null,
      note ?? null,
      details === undefined ? null : JSON.stringify(details)
    ]
  )
}
