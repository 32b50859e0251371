import { grants, hiddenTables, missingRights } from '@steadfast/events/postgres'
import type { Database } from './database.ts'
import { RightsMissing, RowsHidden } from './errors.ts'

const TABLES = ['topic', 'partition', 'record', 'group_offset', 'member']
const WANTED = TABLES.flatMap(object => ['select', 'insert', 'update', 'delete'].map(right => ({ object, right })))

/**
 * Looks whether this role can see and change all of the log. Where it cannot, messages would be missing to nobody's notice.
 *
 * @throws SF_TRANSPORT_POSTGRES_RIGHTS_MISSING, SF_TRANSPORT_POSTGRES_ROWS_HIDDEN
 */
export async function checkRights(db: Database): Promise<void> {
  const schema = db.schema.slice(1, -1)
  const lacking = await missingRights(db.rows, schema, WANTED)
  if (lacking !== undefined) {
    const { role, rights, usage } = lacking
    throw new RightsMissing(role, schema, grants(db.schema, role, rights, usage).join('\n'))
  }
  const hidden = await hiddenTables(db.rows, schema, TABLES)
  if (hidden.length > 0)
    throw new RowsHidden(hidden.map(({ name }) => `${schema}.${name}`).join(', '), hidden[0]?.role ?? '')
}
