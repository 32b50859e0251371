import type { Target } from './target.ts'

/**
 * Databases of the target server that every role may connect to, those of customers included: PostgreSQL's default, which
 * only their owners can change. Provisioned ones are closed by their own step.
 */
export async function openDatabases(target: Target): Promise<string[]> {
  const { rows } = await target.query(
    `select datname as name from pg_database
     where datallowconn and has_database_privilege('public', oid, 'connect') and not starts_with(datname, $1)
     order by datname`,
    [target.prefix]
  )
  return (rows as { name: string }[]).map(({ name }) => name)
}
