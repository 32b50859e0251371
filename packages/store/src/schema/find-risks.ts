import { DEFAULT_SCHEMA, type Queryable, storeOn } from '../db.ts'
import { EXPECTED_SHAPE } from './expected-shape.ts'

// A trigger may change or drop what is written; a rule may put another statement in the place of one.
const FOREIGN = `
  select pg_catalog.format('%s %I on table %s is not Steadfast''s: it may change what is written, or fail it', f.kind, f.name, c.relname) as risk
   from (
     select 'trigger' as kind, t.tgname as name, t.tgrelid as oid from pg_catalog.pg_trigger t where not t.tgisinternal and t.tgenabled <> 'D'
     union all
     select 'rule', r.rulename, r.ev_class from pg_catalog.pg_rewrite r where r.ev_enabled <> 'D'
   ) f
   join pg_catalog.pg_class c on c.oid = f.oid and c.relname = any($2::text[]) and c.relkind in ('r', 'p')
   join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname = $1
   order by c.relname, f.name`

const SETTINGS = `
  select pg_catalog.format(case s.name
       when 'synchronous_commit' then 'synchronous_commit is off (%s): a crash of the server takes back what was committed last. A caller was told that it is stored, and a message that was handled does not come again'
       else 'default_transaction_isolation is %2$s (%1$s): transactions of handlers and single statements conflict more often, and are tried again; read committed is what they are made for' end,
     case s.source when 'user' then 'of the role' when 'database user' then 'of the role in this database' when 'database' then 'of the database'
       else 'of the server or the session' end, s.setting) as risk
   from pg_catalog.pg_settings s
   where s.name = 'synchronous_commit' and s.setting = 'off' or s.name = 'default_transaction_isolation' and s.setting <> 'read committed'
   order by s.name desc`

// The two functions are there since PostgreSQL 15. An index on text is in the order of the collation it was built under.
const COLLATION = `
select pg_catalog.format('the collation of this database is of version %s and the system has %s: indexes on text may no longer find what is there. REINDEX the database, then ALTER DATABASE %I REFRESH COLLATION VERSION',
  coalesce(d.datcollversion, 'none'), coalesce(pg_catalog.pg_database_collation_actual_version(d.oid), 'none'), d.datname) as risk
from pg_catalog.pg_database d
where d.datname = pg_catalog.current_database() and d.datcollversion <> pg_catalog.pg_database_collation_actual_version(d.oid)`

// Who owns a table gives itself each right on it. A right on one column is enough to change what was done.
const AUDIT = `
  select pg_catalog.format('role %I may change or remove rows of table audit (%s): whoever gets hold of it can rewrite who did what. Let services work by a role that owns nothing, with the rights of \`steadfast grants\`, and migrate by another',
    current_user, pg_catalog.array_to_string(array[
      case when pg_catalog.pg_has_role(current_user, c.relowner, 'usage') then 'owner of the table' end,
      case when pg_catalog.has_any_column_privilege(c.oid, 'update') then 'update' end,
      case when pg_catalog.has_table_privilege(c.oid, 'delete') then 'delete' end,
      case when pg_catalog.has_table_privilege(c.oid, 'truncate') then 'truncate' end], ', ')) as risk
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname = $1
  where c.relname = 'audit' and c.relkind in ('r', 'p') and (pg_catalog.pg_has_role(current_user, c.relowner, 'usage')
    or pg_catalog.has_any_column_privilege(c.oid, 'update') or pg_catalog.has_table_privilege(c.oid, 'delete, truncate'))`

/** How many of the newest events are looked at. */
const NEWEST = 10_000

/**
 * What does not keep Steadfast from working but puts a guarantee at risk: triggers and rules of others on its tables,
 * `synchronous_commit = off`, another default isolation level, a role that may change the audit, several services in one schema, a
 * collation of another version than its indexes were built under. Needs the right to read the table of events.
 *
 * @returns in words; an empty list when there is none
 * @throws SF_STORE_IDENTIFIER_INVALID
 */
export async function findRisks(
  handle: Queryable,
  { schema = DEFAULT_SCHEMA }: { schema?: string } = {}
): Promise<string[]> {
  const db = storeOn(handle, schema)
  const found: { risk: string }[] = []
  found.push(...(await db.rows<{ risk: string }>(FOREIGN, [schema, Object.keys(EXPECTED_SHAPE)])))
  found.push(...(await db.rows<{ risk: string }>(SETTINGS)))
  found.push(...(await db.rows<{ risk: string }>(AUDIT, [schema])))
  const [server] = await db.rows<{ version: number }>(
    `select current_setting('server_version_num')::integer as version`
  )
  if ((server?.version ?? 0) >= 150_000) found.push(...(await db.rows<{ risk: string }>(COLLATION)))
  const sources = await db.rows<{ source: string }>(
    `select distinct source from (select source from ${db.schema}.event order by id desc limit ${NEWEST}) e order by source`
  )
  const names = sources.map(({ source }) => source)
  const several = `several services wrote their events into schema "${schema}" (${names.join(', ')}): each one's relay sends the others' events, with its own rights. Give each a schema, unless one was renamed`
  return [...found.map(({ risk }) => risk), ...(names.length > 1 ? [several] : [])]
}
