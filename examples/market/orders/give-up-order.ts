import type { Database } from './order.ts'

/**
 * Nobody will answer the order's request. `FAILED`: it is certain that there is no product, and its place is given back;
 * `DELAYED`: there may be one, and its place is kept until a person knows.
 */
export async function giveUpOrder(
  tx: Database,
  id: string,
  { status, reason }: { status: 'FAILED' | 'DELAYED'; reason: string }
): Promise<void> {
  await tx.query(
    `update orders set status = $2, reason = $3, reserved = $2 = 'DELAYED',
       finished_at = case when $2 = 'FAILED' then clock_timestamp() end
     where id = $1 and status in ('PLACED', 'DELAYED')`,
    [id, status, reason]
  )
}
