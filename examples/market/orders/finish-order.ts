import type { Database, Order } from './order.ts'

/** The order reached its end. Only an open one changes: the first answer counts. */
export async function finishOrder(
  tx: Database,
  id: string,
  end: { access?: Order['access'] } | { reason: string }
): Promise<void> {
  const [status, access, reason] = 'reason' in end ? ['FAILED', null, end.reason] : ['READY', end.access ?? null, null]
  await tx.query(
    `update orders set status = $2, access = $3, reason = $4, finished_at = clock_timestamp() where id = $1 and status = 'PLACED'`,
    [id, status, access, reason]
  )
}
