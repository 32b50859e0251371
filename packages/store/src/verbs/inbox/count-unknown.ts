import type { Db } from '../../db.ts'
import { heads } from './find-runnable.ts'

/** Deliveries of a consumer that wait for a process that knows them. */
export interface UnknownCount {
  count: number
  /** How many types they are of. */
  types: number
  /** The most frequent of these. */
  most: { type: string; count: number }[]
}

/**
 * Counts the deliveries of a consumer that wait for a process that knows them, and names at most `limit` of their types. Of
 * each topic and key the first is looked at, as by `findRunnable`; what waits behind it is not counted.
 */
export async function countUnknown(db: Db, consumer: string, { limit }: { limit: number }): Promise<UnknownCount> {
  const s = db.schema
  const rows = await db.rows<{ type: string; count: number; all: number; types: number }>(
    `with recursive ${heads(s)}
     select i.type, count(*)::int as count, (sum(count(*)) over ())::int as all, (count(*) over ())::int as types
     from head h join ${s}.inbox i on i.consumer = $1 and i.event_id = h.event_id
     where h.state = 'UNKNOWN'
     group by i.type order by count(*) desc, i.type limit $2`,
    [consumer, limit]
  )
  const [first] = rows
  const most = rows.map(({ type, count }) => ({ type, count }))
  return { count: first?.all ?? 0, types: first?.types ?? 0, most }
}
