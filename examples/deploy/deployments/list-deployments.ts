import { type Database, DEPLOYMENT_COLUMNS, type Deployment } from './deployment.ts'

/** Newest first (ids are uuid v7: they begin with the time), those before the deployment of that id. */
export async function listDeployments(
  db: Database,
  { before, status, limit }: { before?: string; status?: Deployment['status']; limit: number }
): Promise<Deployment[]> {
  const { rows } = await db.query(
    `select ${DEPLOYMENT_COLUMNS} from deployment
     where ($1::uuid is null or id < $1) and ($2::text is null or status = $2) order by id desc limit $3`,
    [before ?? null, status ?? null, limit]
  )
  return rows as Deployment[]
}
