import type { Database, Deployment } from './deployment.ts'

/** `false` when the lease was lost meanwhile: then nothing changes, and no result may be stated. */
export async function finishDeployment(
  tx: Database,
  id: string,
  worker: string,
  end: { access: Deployment['access'] } | { reason: string }
): Promise<boolean> {
  const [status, access, reason] = 'reason' in end ? ['FAILED', null, end.reason] : ['READY', end.access, null]
  const { rows } = await tx.query(
    `update deployment set status = $3, access = $4, reason = $5, finished_at = clock_timestamp(), leased_by = null, leased_until = null
     where id = $1 and leased_by = $2 and status = 'WORKING' returning id`,
    [id, worker, status, access, reason]
  )
  return rows.length === 1
}
