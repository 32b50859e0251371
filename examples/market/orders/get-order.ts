import { type Database, ORDER_COLUMNS, type Order } from './order.ts'

export async function getOrder(db: Database, id: string): Promise<Order | undefined> {
  const { rows } = await db.query(`select ${ORDER_COLUMNS} from orders where id = $1`, [id])
  return rows[0] as Order | undefined
}
