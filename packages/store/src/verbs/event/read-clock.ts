import type { Db } from '../../db.ts'

/** The database's clock, by which deadlines are judged. */
export async function readClock(db: Db): Promise<Date> {
  const [row] = await db.rows<{ now: Date }>('select clock_timestamp() as now')
  return row?.now as Date
}
