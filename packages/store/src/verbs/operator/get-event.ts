import type { Db } from '../../db.ts'
import { eventColumns, type StoredEvent } from '../event/stored-event.ts'

/** One event with its payload. */
export async function getEvent(db: Db, id: string): Promise<StoredEvent | undefined> {
  const rows = await db.rows<StoredEvent>(
    `select ${eventColumns('e')} from ${db.schema}.event e where e.id = $1::uuid`,
    [id]
  )
  return rows[0]
}
