import { type Database, type NewOrder, ORDER_COLUMNS, type Order } from './order.ts'

export async function insertOrder(tx: Database, { product, plan, parameters }: NewOrder): Promise<Order> {
  const { rows } = await tx.query(
    `insert into orders (product, plan, parameters) values ($1, $2, $3) returning ${ORDER_COLUMNS}`,
    [product, plan, parameters ?? null]
  )
  return rows[0] as Order
}
