import { type Database, DEPLOYMENT_COLUMNS, type Deployment } from './deployment.ts'

export async function getDeployment(db: Database, id: string): Promise<Deployment | undefined> {
  const { rows } = await db.query(`select ${DEPLOYMENT_COLUMNS} from deployment where id = $1`, [id])
  return rows[0] as Deployment | undefined
}
