import { databaseName, type Target } from './target.ts'

/** How a customer reaches the database. The password is not part of it. */
export function accessOf(target: Target, deploymentId: string) {
  const { hostname, port } = new URL(target.url)
  const name = databaseName(target, deploymentId)
  return { host: hostname, port: Number(port === '' ? 5432 : port), database: name, role: name }
}
