import { queryRows } from '../postgres/query-rows.ts'
import type { MigrationClient, MigrationSet } from './types.ts'

interface Holder {
  table: string
  pid: number
  application: string | null
  backend: string | null
  state: string | null
  seconds: number | null
}

/** Says who holds a table of the schema, the longest transaction first. Not what it runs: that may hold data. */
export async function describeHolder(client: MigrationClient, set: MigrationSet): Promise<string> {
  const [holder] = await queryRows<Holder>(
    client,
    `select c.relname as "table", l.pid, a.application_name as application, a.backend_type as backend, a.state,
       extract(epoch from clock_timestamp() - a.xact_start)::float8 as seconds
     from pg_catalog.pg_locks l
     join pg_catalog.pg_class c on c.oid = l.relation and c.relkind in ('r', 'p')
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     left join pg_catalog.pg_stat_activity a on a.pid = l.pid
     where l.locktype = 'relation' and l.granted and n.nspname = $1 and l.pid <> pg_catalog.pg_backend_pid()
       and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
     order by a.xact_start nulls last limit 1`,
    [set.schema]
  )
  if (holder === undefined) return 'Nobody holds them now'
  const who = [
    holder.application ? `application "${holder.application}"` : holder.backend,
    holder.state,
    holder.seconds === null ? null : `for ${Math.round(holder.seconds)} s`
  ].filter(Boolean)
  return `Process ${holder.pid} holds table ${holder.table}${who.length > 0 ? ` (${who.join(', ')})` : ''}`
}
