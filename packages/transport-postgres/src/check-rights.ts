import type { Database } from './database.ts'
import { RightsMissing, RowsHidden } from './errors.ts'

const TABLES = ['topic', 'partition', 'record', 'group_offset', 'member']
const RIGHTS = ['select', 'insert', 'update', 'delete']

/**
 * Looks whether this role can see and change all of the log. Where it cannot, messages would be missing to nobody's notice.
 *
 * @throws SF_TRANSPORT_POSTGRES_RIGHTS_MISSING, SF_TRANSPORT_POSTGRES_ROWS_HIDDEN
 */
export async function checkRights(db: Database): Promise<void> {
  const schema = db.schema.slice(1, -1)
  const tables = await db.rows<{ name: string; role: string; missing: string[]; isHidden: boolean }>(
    `select c.relname as name, pg_catalog.quote_ident(current_user) as role,
       (select coalesce(json_agg(r.name), '[]') from pg_catalog.unnest($3::text[]) as r (name)
         where not pg_catalog.has_table_privilege(c.oid, r.name)) as missing,
       pg_catalog.row_security_active(c.oid) as "isHidden"
     from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1 and c.relname = any($2::text[]) and pg_catalog.has_schema_privilege(n.oid, 'usage')
     order by c.relname`,
    [schema, TABLES, RIGHTS]
  )
  const lacking = tables.filter(({ missing }) => missing.length > 0)
  const [first] = lacking
  if (first !== undefined) {
    const grants = lacking.map(
      ({ name, missing, role }) => `grant ${missing.join(', ')} on ${db.schema}.${name} to ${role};`
    )
    throw new RightsMissing(first.role, schema, grants.join('\n'))
  }
  const hidden = tables.filter(({ isHidden }) => isHidden)
  if (hidden.length > 0)
    throw new RowsHidden(hidden.map(({ name }) => `${schema}.${name}`).join(', '), hidden[0]?.role ?? '')
}
