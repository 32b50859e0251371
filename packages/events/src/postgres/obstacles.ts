type Rows = <Row>(text: string, values?: unknown[]) => Promise<Row[]>

/** A right on one table or sequence. */
export interface Wanted {
  object: string
  right: string
}

/** What a role lacks. */
export interface Lacking {
  /** As it stands in SQL. */
  role: string
  rights: Wanted[]
  /** Whether it lacks `usage` on the schema. */
  usage: boolean
}

/** Which of these rights on the objects of a schema the current role lacks. `undefined`: none. */
export async function missingRights(
  rows: Rows,
  schema: string,
  wanted: readonly Wanted[]
): Promise<Lacking | undefined> {
  const missing = await rows<Wanted & { role: string }>(
    `with schema as (select n.oid from pg_catalog.pg_namespace n where n.nspname = $1)
     select '' as object, 'usage' as right, pg_catalog.quote_ident(current_user) as role
     from schema s where not pg_catalog.has_schema_privilege(s.oid, 'usage')
     union all
     select w.object, w.right, pg_catalog.quote_ident(current_user)
     from pg_catalog.json_to_recordset($2::json) as w (object text, "right" text)
     join pg_catalog.pg_class c on c.relname = w.object and c.relnamespace = (select s.oid from schema s)
     where not case when c.relkind = 'S' then pg_catalog.has_sequence_privilege(c.oid, w.right)
       else pg_catalog.has_table_privilege(c.oid, w.right) end`,
    [schema, JSON.stringify(wanted)]
  )
  const [first] = missing
  if (first === undefined) return undefined
  const rights = missing.filter(({ object }) => object !== '')
  return { role: first.role, rights, usage: rights.length < missing.length }
}

/**
 * The statements that give a role these rights. @param role as it stands in SQL @param schema likewise
 */
export function grants(schema: string, role: string, wanted: readonly Wanted[], usage = true): string[] {
  const lines = [...new Set(wanted.map(({ object }) => object))].map(object => {
    const rights = wanted.filter(each => each.object === object).map(({ right }) => right)
    const kind = object.endsWith('_seq') ? 'sequence ' : ''
    return `grant ${rights.join(', ')} on ${kind}${schema}.${object} to ${role};`
  })
  return usage ? [`grant usage on schema ${schema} to ${role};`, ...lines] : lines
}

/** Those of these tables whose policies let the current role see or write less than everything. */
export async function hiddenTables(
  rows: Rows,
  schema: string,
  tables: readonly string[]
): Promise<{ name: string; role: string }[]> {
  return await rows<{ name: string; role: string }>(
    `with policy as (
       select p.polrelid, p.polpermissive, p.polcmd = '*' and coalesce(pg_catalog.pg_get_expr(p.polqual, p.polrelid), 'true') = 'true'
         and coalesce(pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid), 'true') = 'true' as is_open
       from pg_catalog.pg_policy p
       where exists (select from pg_catalog.unnest(p.polroles) as r (oid)
         where r.oid = 0 or pg_catalog.pg_has_role(current_user, r.oid, 'usage'))
     )
     select c.relname as name, current_user::text as role from pg_catalog.pg_class c
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname = $1
     where c.relkind in ('r', 'p') and c.relname = any($2::text[]) and pg_catalog.row_security_active(c.oid)
       and (not exists (select from policy p where p.polrelid = c.oid and p.polpermissive and p.is_open)
         or exists (select from policy p where p.polrelid = c.oid and not p.polpermissive and not p.is_open))
     order by 1`,
    [schema, tables]
  )
}
