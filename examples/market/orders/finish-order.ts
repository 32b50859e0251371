import type { Database, Order } from './order.ts'

/**
 * The order reached its end, and one that failed gives its place back. Only an open one changes: the first answer counts.
 * `late`: the order was given up before, and its answer came after all: it takes its place again.
 */
export async function finishOrder(
  tx: Database,
  id: string,
  end: { access?: Order['access'] } | { reason: string },
  { late = false }: { late?: boolean | undefined } = {}
): Promise<void> {
  const [status, access, reason] = 'reason' in end ? ['FAILED', null, end.reason] : ['READY', end.access ?? null, null]
  await tx.query(
    `update orders set status = $2, access = $3, reason = $4, reserved = $2 = 'READY', finished_at = clock_timestamp()
     where id = $1 and (status in ('PLACED', 'DELAYED') or $5 and status = 'FAILED')`,
    [id, status, access, reason, late]
  )
}
