import { type Database, ORDER_COLUMNS, type Order } from './order.ts'

/** Newest first, those before the order of that number: a page stays the same while new orders come in. */
export async function listOrders(
  db: Database,
  { before, status, limit }: { before?: string; status?: Order['status']; limit: number }
): Promise<Order[]> {
  const { rows } = await db.query(
    `select ${ORDER_COLUMNS} from orders
     where ($1::bigint is null or number < $1) and ($2::text is null or status = $2) order by number desc limit $3`,
    [before ?? null, status ?? null, limit]
  )
  return rows as Order[]
}
