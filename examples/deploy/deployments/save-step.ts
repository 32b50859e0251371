import type { Database } from './deployment.ts'

/** Where a deployment goes on after a step, and gives its lease back. */
export interface NextStep {
  step: string
  /** Wait so long before it is tried, in ms. */
  afterMs: number
  /** Failed attempts of the step so far. */
  attempts: number
  error: string | null
}

/** Does nothing when the lease was lost meanwhile: whoever has it now goes on. */
export async function saveStep(db: Database, id: string, worker: string, next: NextStep): Promise<void> {
  await db.query(
    `update deployment set step = $3, due_at = clock_timestamp() + $4 * interval '1 ms', attempts = $5, last_error = $6,
       leased_by = null, leased_until = null
     where id = $1 and leased_by = $2 and status = 'WORKING'`,
    [id, worker, next.step, next.afterMs, next.attempts, next.error]
  )
}
