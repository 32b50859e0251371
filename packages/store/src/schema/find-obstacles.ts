import { grants, hiddenTables, missingRights as rightsLacking } from '@steadfast/events/postgres'
import { type Db, type Queryable, storeOn } from '../db.ts'
import { RightsMissing, RowsHidden, SequenceBehind, SettingUnfit } from '../errors.ts'
import { type Plugin, rightsOf } from './rights.ts'

/**
 * What keeps plugins from working, or would lose something silently, on the role, the settings and the tables as they
 * are. `thorough`: reads whole tables to compare a sequence with its data, instead of the newest rows.
 */
export async function findObstacles(
  handle: Queryable,
  schema: string,
  plugins: readonly Plugin[],
  { thorough = false }: { thorough?: boolean } = {}
): Promise<Error[]> {
  const db = storeOn(handle, schema)
  const missing = await missingRights(db, plugins)
  if (missing !== undefined) return [missing]
  return [
    ...(await unfitSettings(db)),
    ...(await hiddenRows(db, plugins)),
    ...(await sequencesBehind(db, plugins, thorough))
  ]
}

async function missingRights(db: Db, plugins: readonly Plugin[]): Promise<Error | undefined> {
  const lacking = await rightsLacking(db.rows, db.schema, rightsOf(plugins))
  if (lacking === undefined) return undefined
  const { role, rights, usage } = lacking
  return new RightsMissing(role, db.schema, grants(db.schema, role, rights, usage).join('\n'))
}

/** A read-only default is an obstacle where it is the role's or the database's; a server may be so for a while, after a failover. */
async function unfitSettings(db: Db): Promise<Error[]> {
  const rows = await db.rows<{ name: string; setting: string; wanted: string }>(
    `select s.name, s.setting, f.wanted from pg_catalog.pg_settings s
     join (values ('DateStyle', 'ISO'), ('extra_float_digits', '0 or more'), ('default_transaction_read_only', 'off'))
       as f (name, wanted) on f.name = s.name
     where case s.name when 'DateStyle' then s.setting not like 'ISO%' when 'extra_float_digits' then s.setting::integer < 0
       else s.setting = 'on' and s.source in ('database', 'user', 'database user') end
     order by s.name`
  )
  return rows.map(({ name, setting, wanted }) => new SettingUnfit(name, setting, wanted))
}

/** Tables whose policies let this role see or write less than everything. */
async function hiddenRows(db: Db, plugins: readonly Plugin[]): Promise<Error[]> {
  const tables = new Set(rightsOf(plugins).map(({ object }) => object))
  const rows = await hiddenTables(db.rows, db.schema, [...tables])
  if (rows.length === 0) return []
  return [new RowsHidden(rows.map(({ name }) => `${db.schema}.${name}`).join(', '), rows[0]?.role)]
}

/**
 * A sequence behind its data gives numbers that were given before: later events of a key would go first. The newest
 * events are found by their ids, which begin with the time.
 */
async function sequencesBehind(db: Db, plugins: readonly Plugin[], thorough: boolean): Promise<Error[]> {
  const s = db.schema
  const unfinished = `where state in ('RETRY', 'BLOCKED', 'UNKNOWN', 'HELD')`
  const sequences = [
    { of: ['outbox'], table: 'event', column: 'seq', rows: thorough ? '' : 'order by id desc limit 1000' },
    { of: ['inbox'], table: 'inbox', column: 'arrival', rows: thorough ? '' : unfinished },
    { of: ['inbox', 'reconciliation'], table: 'audit', column: 'id', rows: 'order by id desc limit 1' }
  ]
  const errors: Error[] = []
  for (const { of, table, column, rows } of sequences) {
    if (!plugins.some(plugin => of.includes(plugin))) continue
    const [found] = await db.rows<{ name: string | null }>(
      `select pg_catalog.pg_get_serial_sequence(pg_catalog.concat_ws('.', $1::text, c.relname), $3) as name from pg_catalog.pg_class c
       join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname = $1 where c.relname = $2`,
      [s, table, column]
    )
    // A table or identity that is missing is said by the version and the shape.
    if (!found?.name) continue
    const [row] = await db.rows<{ next: string; highest: string }>(
      `select q.next, d.highest from (select last_value + case when is_called then 1 else 0 end as next from ${found.name}) q,
         (select max(r.${column}) as highest from (select ${column} from ${s}.${table} ${rows}) r) d
       where q.next <= d.highest`
    )
    if (row === undefined) continue
    const remedy = `select setval('${found.name}', (select max(${column}) from ${s}.${table}));`
    errors.push(
      new SequenceBehind(found.name, `gives ${row.next} next, while table ${s}.${table} has ${row.highest}`, remedy)
    )
  }
  return errors
}
