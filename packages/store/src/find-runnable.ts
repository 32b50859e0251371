import type { Db } from './db.ts'
import { DELIVERY_COLUMNS, type DeliveryColumns, deliveryOf, type StoredDelivery, UNFINISHED } from './get-delivery.ts'

/** Which of the deliveries that may run. */
export interface RunnableQuery {
  limit: number
  /** Ids of events that are left out, e.g. because they run already. */
  except?: readonly string[]
  /** Types that are left out. */
  exceptTypes?: readonly string[]
}

/**
 * The deliveries set aside that may run now: the first unfinished one of each topic and key, if it is blocked no longer or its
 * retry is due. Hops from key to key in the index, so that many deliveries behind one held cost nothing.
 */
export async function findRunnable(
  db: Db,
  consumer: string,
  { limit, except = [], exceptTypes = [] }: RunnableQuery,
  now?: Date
): Promise<StoredDelivery[]> {
  const s = db.schema
  const first = `select u.topic, u.key, u.arrival, u.event_id, u.state, u.due_at from ${s}.inbox u
    where u.consumer = $1 and u.state in ${UNFINISHED}`
  const rows = await db.rows<DeliveryColumns>(
    `with recursive head as (
       (${first} order by u.topic, u.key, u.arrival limit 1)
       union all
       select n.* from head h cross join lateral (${first}
         and (u.topic, u.key) > (h.topic, h.key) order by u.topic, u.key, u.arrival limit 1) n
     )
     select ${DELIVERY_COLUMNS} from head h join ${s}.inbox i on i.consumer = $1 and i.event_id = h.event_id
     where (h.state = 'BLOCKED' or h.state = 'RETRY' and h.due_at <= coalesce($3::timestamptz, clock_timestamp()))
       and h.event_id <> all($4::uuid[]) and i.type <> all($5::text[])
     order by i.arrival
     limit $2`,
    [consumer, limit, now, except, exceptTypes]
  )
  return rows.map(deliveryOf)
}
