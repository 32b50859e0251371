import type { Database } from './deployment.ts'

/** The ids of deployments at work that have not been reported for so long; they count as reported now. */
export async function takeProgress(db: Database, everyMs: number, limit: number): Promise<string[]> {
  const { rows } = await db.query(
    `update deployment d set progress_at = clock_timestamp() + $1 * interval '1 ms'
     from (select id from deployment where status = 'WORKING' and progress_at <= clock_timestamp()
           order by progress_at limit $2 for update skip locked) late
     where d.id = late.id returning d.id`,
    [everyMs, limit]
  )
  return (rows as { id: string }[]).map(row => row.id)
}
