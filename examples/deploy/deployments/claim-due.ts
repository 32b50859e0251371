import type { Database } from './deployment.ts'

/** A deployment whose next step this worker may take until its lease ends. */
export interface ClaimedDeployment {
  id: string
  orderId: string
  product: string
  plan: string
  step: string
  attempts: number
}

/**
 * Leases deployments whose step is due, the oldest first (ids begin with the time). A lease that ran out, because its worker was killed, is free again: no row
 * needs anybody's help. Judged by the database's clock, so that workers need not agree on the time.
 */
export async function claimDue(
  db: Database,
  { worker, leaseMs, limit }: { worker: string; leaseMs: number; limit: number }
): Promise<ClaimedDeployment[]> {
  const { rows } = await db.query(
    `update deployment d set leased_by = $1, leased_until = clock_timestamp() + $2 * interval '1 ms'
     from (select id from deployment
           where status = 'WORKING' and step <> 'sleep' and due_at <= clock_timestamp()
             and (leased_until is null or leased_until < clock_timestamp())
           order by id limit $3 for update skip locked) due
     where d.id = due.id
     returning d.id, d.order_id as "orderId", d.product, d.plan, d.step, d.attempts`,
    [worker, leaseMs, limit]
  )
  return rows as ClaimedDeployment[]
}
