import type { Db } from '../../db.ts'

/** Notes the status that a handler answered with, in its transaction. Not needed for 200, which a row begins with. */
export async function finishDelivery(db: Db, consumer: string, eventId: string, outcome: number): Promise<void> {
  await db.rows(`update ${db.schema}.inbox set outcome = $3 where consumer = $1 and event_id = $2`, [
    consumer,
    eventId,
    outcome
  ])
}
