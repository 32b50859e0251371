import type { Database } from './deployment.ts'

/** A sleeper that has slept enough. */
export interface FinishedSleeper {
  id: string
  orderId: string
  reason: string | null
}

/**
 * Ends the sleepers whose time has come, many in one statement: thousands sleep at once without a timer each. Whether
 * one fails is read from its id, so that every attempt finds the same. The rate is read as numeric, which takes any
 * number of JSON: one that did not fit would keep all others from waking.
 */
export async function finishSleepers(tx: Database, limit: number): Promise<FinishedSleeper[]> {
  const { rows } = await tx.query(
    `update deployment d
     set status = case when fails then 'FAILED' else 'READY' end, finished_at = clock_timestamp(),
       reason = case when fails then 'the sleeper slept badly, as its failureRate says' end
     from (select id, (hashtext(id::text) & 65535) / 65536.0 < coalesce((parameters->>'failureRate')::numeric, 0) as fails from deployment
           where status = 'WORKING' and step = 'sleep' and due_at <= clock_timestamp()
           order by due_at limit $1 for update skip locked) due
     where d.id = due.id
     returning d.id, d.order_id as "orderId", d.reason`,
    [limit]
  )
  return rows as FinishedSleeper[]
}
