import type { PostgresPlan } from '@steadfast-examples/contracts'
import pg from 'pg'
import { derivePassword } from './derive-password.ts'
import { databaseName, type Target } from './target.ts'

const NOT_YET = new Set(['3D000', '28000', '28P01', '42501'])

/** Whether the new database answers a query as its own role, with the limits of the plan. Errors of the network throw. */
export async function answersQuery(target: Target, deploymentId: string, plan: PostgresPlan): Promise<boolean> {
  const name = databaseName(target, deploymentId)
  const address = new URL(target.url)
  address.username = name
  address.password = derivePassword(target.secret, deploymentId)
  address.pathname = `/${name}`
  const client = new pg.Client({
    connectionString: address.href,
    application_name: 'deploy',
    connectionTimeoutMillis: 5000
  })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query<{ name: string; timeoutMs: number }>(
      `select current_user as name, setting::int as "timeoutMs" from pg_settings where name = 'statement_timeout'`
    )
    return rows[0]?.name === name && rows[0].timeoutMs === plan.statementTimeoutMs
  } catch (error) {
    if (NOT_YET.has(String((error as { code?: unknown }).code))) return false
    throw error
  } finally {
    await client.end().catch(() => {})
  }
}
