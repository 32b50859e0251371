import { databaseName, type Target } from './target.ts'

/** Takes back what the steps of a deployment that fails have left. */
export async function removeDatabase(target: Target, deploymentId: string): Promise<void> {
  const name = databaseName(target, deploymentId)
  await target.query(`drop database if exists ${name} with (force)`)
  await target.query(`drop role if exists ${name}`)
}
