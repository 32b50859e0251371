import { grants, type Wanted } from '@steadfast/events/postgres'
import { checkIdentifier, DEFAULT_SCHEMA } from '../db.ts'

/** What works on the tables with rights of its own. */
export type Plugin = 'outbox' | 'relay' | 'sweeper' | 'inbox' | 'idempotency-key' | 'reconciliation'

type Right = 'select' | 'insert' | 'update' | 'delete'

const READ: Right[] = ['select']
const WRITE: Right[] = ['select', 'insert', 'update']

/**
 * The rights that each plugin's statements need, by table and by sequence, beside `usage` on the schema. Who locks a row
 * needs `update`. On the audit nobody needs more than to read and to add. The sequences are read to see whether they are behind their data.
 */
export const RIGHTS: Readonly<Record<Plugin, Readonly<Record<string, readonly Right[]>>>> = {
  outbox: {
    event: WRITE,
    inbox: READ,
    replay: READ,
    replay_item: READ,
    audit: ['insert'],
    migration: READ,
    event_seq_seq: READ
  },
  relay: {
    event: ['select', 'update'],
    relay: ['select', 'insert', 'update', 'delete'],
    migration: READ
  },
  sweeper: {
    event: ['select', 'update', 'delete'],
    inbox: ['select', 'update', 'delete'],
    replay: ['select', 'update', 'delete'],
    replay_item: ['select', 'delete'],
    idempotency: ['select', 'update', 'delete'],
    migration: READ
  },
  inbox: {
    event: ['select', 'update'],
    inbox: WRITE,
    replay: ['select', 'update'],
    replay_item: ['select', 'insert'],
    audit: ['select', 'insert'],
    migration: READ,
    inbox_arrival_seq: READ,
    audit_id_seq: READ
  },
  'idempotency-key': { idempotency: WRITE, migration: READ },
  reconciliation: {
    event: WRITE,
    inbox: ['select', 'update'],
    replay: WRITE,
    replay_item: READ,
    audit: ['select', 'insert'],
    migration: READ,
    audit_id_seq: READ
  }
}

export const PLUGINS = Object.keys(RIGHTS) as Plugin[]

/** What several plugins need together, each right once. */
export function rightsOf(plugins: readonly Plugin[]): Wanted[] {
  const pairs = plugins.flatMap(plugin =>
    Object.entries(RIGHTS[plugin]).flatMap(([object, rights]) => rights.map(right => `${object} ${right}`))
  )
  return [...new Set(pairs)].map(pair => {
    const [object = '', right = ''] = pair.split(' ')
    return { object, right }
  })
}

/**
 * The SQL that gives a role no more than what the plugins need on Steadfast's tables; for a service that does not migrate
 * by the role under which it works. `plugins`: default all.
 *
 * @throws SF_STORE_IDENTIFIER_INVALID
 */
export function printGrants({
  role,
  schema = DEFAULT_SCHEMA,
  plugins = PLUGINS
}: {
  role: string
  schema?: string
  plugins?: readonly Plugin[]
}): string {
  checkIdentifier('schema', schema)
  return `${grants(schema, `"${role.replaceAll('"', '""')}"`, rightsOf(plugins)).join('\n')}\n`
}
